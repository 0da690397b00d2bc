#include "graph.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "simd.hpp"

namespace lucastra {
namespace {

// Vamana's relaxation of the neighbour choice (Subramanya et al., 2019), on squared distances. 1.1 searches no faster
// (100,000 rows) and loses two thirds of a quarter of rows that are nearly equal; at 1.05 nearly all of them are found.
constexpr float kAlpha = 1.05f;
constexpr std::size_t kMaxLevel = 12;
constexpr std::size_t kMaxEfConstruction = 4096;
constexpr std::size_t kSignCandidates = 8000;
constexpr std::size_t kWiden = 4;  // how far dead and ineligible rows may widen a search

std::uint32_t load(const std::uint32_t* link) {
    return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}
void store(std::uint32_t* link, std::uint32_t value) {
    __atomic_store_n(link, value, __ATOMIC_RELEASE);
}

// The level of a row is drawn by its number: the same rows give the same graph.
std::size_t level_of(std::uint32_t row, std::size_t m) {
    std::uint64_t z = (row + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const double uniform = (static_cast<double>(z >> 11) + 1.0) / 9007199254740993.0;
    return std::min(kMaxLevel, static_cast<std::size_t>(-std::log(uniform) / std::log(static_cast<double>(m))));
}

}  // namespace

struct Graph::Pool {
    struct Item {
        std::int32_t score;
        std::uint32_t row;  // the highest bit: its links have been followed
    };
    static constexpr std::uint32_t kFollowed = 1u << 31;

    std::vector<Item> items;
    std::size_t size = 0;
    std::size_t capacity = 0;

    void reset(std::size_t ef) {
        capacity = ef;
        size = 0;
        if (items.size() < ef + 1) items.resize(ef + 1);
    }

    bool admits(std::int32_t score) const { return size < capacity || score > items[size - 1].score; }

    // Insert in order; returns the position.
    std::size_t insert(std::int32_t score, std::uint32_t row) {
        Item* const first = items.data();
        std::size_t low = 0;
        // A binary search by additions: its branches would be guessed wrong half of the time.
        for (std::size_t rest = size; rest > 0;) {
            const std::size_t half = (rest + 1) / 2;
            low += first[low + half - 1].score >= score ? half : 0;
            rest -= half;
        }
        size += size < capacity;
        std::memmove(first + low + 1, first + low, (size - 1 - low) * sizeof(Item));
        first[low] = {score, row};
        return low;
    }
};

// What a thread needs for a search; kept between searches.
struct Graph::Scratch {
    Query query;
    Query neighbour;
    Pool pool;
    std::vector<std::uint64_t> visited;  // a bitmap: 12 KB for 100,000 rows stay in the nearest cache
    std::vector<std::uint32_t> touched;  // whose bits are set
    std::size_t touched_count = 0;
    std::vector<Candidate> candidates;
    std::vector<Candidate> found;
    std::vector<std::uint8_t> chosen_rows;
    std::vector<std::int8_t> as_query;

    void begin(std::size_t rows) {
        for (std::size_t i = 0; i < touched_count; ++i) visited[touched[i] / 64] = 0;
        touched_count = 0;
        if (visited.size() < rows / 64 + 1) visited.resize(rows / 64 + 1);
    }

    // Where the next `most` rows that are met for the first time will stand.
    std::uint32_t* room_for(std::size_t most) {
        if (touched.size() < touched_count + most) touched.resize(2 * (touched_count + most));
        return touched.data() + touched_count;
    }

    // Behind a pointer: compilers look up a thread's own variable again at every use, which took an eighth of a search.
    static Scratch& of_this_thread() {
        thread_local const std::unique_ptr<Scratch> scratch = std::make_unique<Scratch>();
        return *scratch;
    }
};

Graph::Graph(std::shared_ptr<Rows> rows, std::size_t m, std::size_t ef_construction)
    : rows_(std::move(rows)), m_(m), ef_construction_(ef_construction) {
    if (m < 2 || m > kMaxM) throw std::invalid_argument("m must be between 2 and 128");
    if (ef_construction < 1 || ef_construction > kMaxEfConstruction)
        throw std::invalid_argument("ef_construction must be between 1 and 4096");
    const std::size_t capacity = rows_->capacity();
    // 1 / (m - 1) levels a row are expected above the lowest; twice that is never reached in practice.
    upper_capacity_ = (2 * capacity / (m - 1) + 64 * kMaxLevel) * m;
    own_links_ = Growing<Link>(capacity * 2 * m);
    own_upper_links_ = Growing<Link>(upper_capacity_);
    own_upper_start_ = Growing<std::uint32_t>(capacity);
    links_ = own_links_.data();
    upper_links_ = own_upper_links_.data();
    upper_start_ = own_upper_start_.data();
}

Graph::Entry Graph::entry() const {
    const std::uint64_t packed = entry_.load(std::memory_order_acquire);
    return {static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32)};
}

Graph::Link* Graph::links(std::uint32_t row, std::size_t level) const {
    if (level == 0) return links_ + static_cast<std::size_t>(row) * 2 * m_;
    const std::size_t start = upper_start_[row];
    const std::size_t at = start + (level - 1) * m_;
    return start == kNone || at + m_ > upper_capacity_ ? nullptr : upper_links_ + at;
}

void Graph::search_level(const Query& query, std::uint32_t start, std::size_t level, std::size_t ef, Scratch& scratch,
                         Best* wanted, Eligible eligible) const {
    const Simd& simd_level = simd();
    const std::uint8_t* codes = rows_->codes();
    const std::size_t bytes = rows_->rotation().bytes();
    const std::size_t rows = rows_->size(), most = width(level);
    const auto wants = [&](std::uint32_t row) {
        return (rows_->alive_word(row / 64) & eligible.word(row / 64)) >> (row % 64) & 1;
    };
    Pool& pool = scratch.pool;
    pool.reset(ef);
    scratch.begin(rows);
    std::uint64_t* const visited = scratch.visited.data();
    std::int32_t scores[2 * kMaxM];
    *scratch.room_for(1) = start;
    scratch.touched_count = 1;
    visited[start / 64] |= std::uint64_t{1} << (start % 64);
    simd_level.dot_ids(query.codes.data(), query.bias, codes, bytes, &start, 1, scores);
    pool.insert(scores[0], start);
    if (wanted != nullptr && wants(start)) wanted->push(scores[0], start);
    for (std::size_t next = 0; next < pool.size;) {
        const std::uint32_t row = pool.items[next].row;
        if (row & Pool::kFollowed) {
            ++next;
            continue;
        }
        pool.items[next].row |= Pool::kFollowed;
        const Link* neighbours = links(row, level);
        if (neighbours == nullptr) continue;
        std::uint32_t* const fresh = scratch.room_for(most);
        std::size_t count = 0;
        for (std::size_t i = 0; i < most; ++i) {
            const std::uint32_t neighbour = load(neighbours + i);
            if (neighbour >= rows) break;  // the end, a row that came after this search, or damage
            std::uint64_t& word = visited[neighbour / 64];
            const std::uint64_t bit = std::uint64_t{1} << (neighbour % 64);
            fresh[count] = neighbour;  // kept if it is new: whether it is cannot be guessed, so this does not branch
            count += (word & bit) == 0;
            word |= bit;
        }
        scratch.touched_count += count;
        simd_level.dot_ids(query.codes.data(), query.bias, codes, bytes, fresh, count, scores);
        for (std::size_t i = 0; i < count; ++i) {
            if (wanted != nullptr && scores[i] > wanted->threshold() && wants(fresh[i]))
                wanted->push(scores[i], fresh[i]);
            if (!pool.admits(scores[i])) continue;
            next = std::min(next, pool.insert(scores[i], fresh[i]));
            if (level == 0) prefetch(links_ + static_cast<std::size_t>(fresh[i]) * 2 * m_);
        }
    }
}

std::uint32_t Graph::descend(const Query& query, Entry from, std::size_t to_level) const {
    const Simd& simd_level = simd();
    const std::uint8_t* codes = rows_->codes();
    const std::size_t bytes = rows_->rotation().bytes(), rows = rows_->size();
    std::uint32_t nearest = from.row, neighbours[kMaxM];
    std::int32_t best, scores[kMaxM];
    simd_level.dot_ids(query.codes.data(), query.bias, codes, bytes, &nearest, 1, &best);
    for (std::size_t level = from.level; level > to_level; --level) {
        for (bool moved = true; moved;) {
            moved = false;
            const Link* at = links(nearest, level);
            if (at == nullptr) break;
            std::size_t count = 0;
            for (; count < m_ && (neighbours[count] = load(at + count)) < rows; ++count) {
            }
            simd_level.dot_ids(query.codes.data(), query.bias, codes, bytes, neighbours, count, scores);
            for (std::size_t i = 0; i < count; ++i) {
                if (scores[i] <= best) continue;
                best = scores[i];
                nearest = neighbours[i];
                moved = true;
            }
        }
    }
    return nearest;
}

Hits Graph::search(const float* vector, std::size_t limit, std::size_t ef, Eligible eligible) const {
    Scratch& scratch = Scratch::of_this_thread();
    const Entry from = entry();
    if (from.row == kNone) return {};
    rows_->rotation().prepare(vector, scratch.query);
    // Rows that are not linked yet count too, here and in `wanted`: neither may hide that a linked one is dead.
    const std::size_t rows = rows_->size(), dead = rows_->dead();
    limit = std::min(limit, rows);
    ef = std::clamp<std::size_t>(ef, std::max<std::size_t>(limit, 1), rows);
    const std::uint32_t start = descend(scratch.query, from, 0);
    if (dead == 0 && !eligible) {
        search_level(scratch.query, start, 0, ef, scratch);
        const Pool& pool = scratch.pool;
        const std::size_t count = std::min(pool.size, Rows::pool_size(limit));
        scratch.candidates.clear();
        for (std::size_t i = 0; i < count; ++i)
            scratch.candidates.push_back({pool.items[i].score, pool.items[i].row & ~Pool::kFollowed});
        // A row can be born dead and linked while this search is on its way.
        std::erase_if(scratch.candidates, [this](const Candidate& each) { return !rows_->is_alive(each.row); });
        return rows_->rerank(scratch.query, scratch.candidates, limit);
    }
    std::size_t wanted = rows - std::min(dead, rows);
    if (eligible) {
        wanted = 0;
        for (std::size_t word = 0; word * 64 < rows; ++word)
            wanted += static_cast<std::size_t>(std::popcount(rows_->alive_word(word) & eligible.word(word)));
    }
    if (wanted == 0) return {};
    Best best(Rows::pool_size(limit));
    const std::size_t widened = std::min(kWiden * ef, ef * rows / wanted + 1);
    search_level(scratch.query, start, 0, widened, scratch, &best, eligible);
    std::vector<Candidate>& found = best.sorted();
    // Rows that may not be found stood in the way: compare those that may.
    if (found.size() < std::min(limit, wanted) && size() == rows)
        return rows_->scan(vector, limit, eligible, kSignCandidates);
    return rows_->rerank(scratch.query, found, limit);
}

void Graph::insert(std::size_t count) {
    if (file_ != nullptr) throw std::invalid_argument("this graph stands in a file and cannot grow");
    const std::size_t first = size_.load(std::memory_order_relaxed);
    if (count > rows_->size() - first) throw std::invalid_argument("there are not so many rows that are not linked");
    own_links_.grow((first + count) * 2 * m_);
    own_upper_start_.grow(first + count);
    for (std::size_t row = first; row < first + count; ++row) link(static_cast<std::uint32_t>(row));
}

void Graph::link(std::uint32_t row) {
    Scratch& scratch = Scratch::of_this_thread();
    const std::size_t bytes = rows_->rotation().bytes();
    std::size_t level = level_of(row, m_);
    if (upper_size_ + level * m_ > upper_capacity_) level = 0;
    std::fill_n(links_ + static_cast<std::size_t>(row) * 2 * m_, 2 * m_, kNone);
    upper_start_[row] = kNone;
    if (level > 0) {
        own_upper_links_.grow(upper_size_ + level * m_);
        std::fill_n(upper_links_ + upper_size_, level * m_, kNone);
        upper_start_[row] = static_cast<std::uint32_t>(upper_size_);
        upper_size_ += level * m_;
    }
    const Entry from = entry();
    const auto enter_here = [&] {
        entry_.store(static_cast<std::uint64_t>(level) << 32 | row, std::memory_order_release);
    };
    if (from.row == kNone) {
        enter_here();
        size_.store(row + 1, std::memory_order_release);
        return;
    }
    Query& query = scratch.query;
    query.codes.resize(bytes);
    query.bias = 128 * simd().as_query(rows_->codes() + row * bytes, bytes, query.codes.data());
    std::uint32_t start = descend(query, from, level);
    Link chosen[2 * kMaxM];
    std::vector<Candidate>& found = scratch.found;
    for (std::size_t at = std::min<std::size_t>(level, from.level) + 1; at-- > 0;) {
        search_level(query, start, at, ef_construction_, scratch);
        found.clear();
        for (std::size_t i = 0; i < scratch.pool.size; ++i) {
            const Pool::Item& item = scratch.pool.items[i];
            if ((item.row & ~Pool::kFollowed) != row) found.push_back({item.score, item.row & ~Pool::kFollowed});
        }
        start = found.empty() ? from.row : found.front().row;
        const std::size_t count = choose(found, m_, scratch, chosen);
        Link* own = links(row, at);
        for (std::size_t i = 0; i < count; ++i) store(own + i, chosen[i]);
        for (std::size_t i = 0; i < count; ++i) {
            const auto same = [&](const Candidate& candidate) { return candidate.row == chosen[i]; };
            add_link(chosen[i], row, std::find_if(found.begin(), found.end(), same)->score, at, scratch);
        }
    }
    if (level > from.level) enter_here();
    size_.store(row + 1, std::memory_order_release);
}

std::size_t Graph::choose(std::span<const Candidate> candidates, std::size_t count, Scratch& scratch,
                          Link* chosen) const {
    const Simd& simd_level = simd();
    const std::size_t bytes = rows_->rotation().bytes();
    const float length = rows_->rotation().squared_length();
    scratch.chosen_rows.resize(count * bytes);  // side by side, so that they are compared at one go
    scratch.as_query.resize(bytes);
    std::int32_t scores[2 * kMaxM];
    std::size_t size = 0;
    for (const Candidate& candidate : candidates) {
        if (size == count) break;
        const std::uint8_t* row = rows_->codes() + candidate.row * bytes;
        if (size > 0) {
            const std::int32_t sum = simd_level.as_query(row, bytes, scratch.as_query.data());
            simd_level.dot_range(scratch.as_query.data(), 128 * sum, scratch.chosen_rows.data(), bytes, size, scores);
            // Half the squared distance of two codes is their squared length less their inner product.
            const float to_new = length - static_cast<float>(candidate.score);
            const std::int32_t* const closest = std::max_element(scores, scores + size);
            const float nearest = length - static_cast<float>(*closest);
            if (nearest * kAlpha < to_new) continue;
            // One of several equal rows is enough: more than there are links would be an island of their own.
            if (std::memcmp(scratch.chosen_rows.data() + static_cast<std::size_t>(closest - scores) * bytes, row,
                            bytes) == 0)
                continue;
        }
        std::memcpy(scratch.chosen_rows.data() + size * bytes, row, bytes);
        chosen[size++] = candidate.row;
    }
    return size;
}

void Graph::add_link(std::uint32_t from, std::uint32_t to, std::int32_t score, std::size_t level, Scratch& scratch) {
    Link* own = links(from, level);
    const std::size_t most = width(level);
    for (std::size_t i = 0; i < most; ++i) {
        if (own[i] != kNone) continue;
        if (i + 1 < most) store(own + i + 1, kNone);
        store(own + i, to);
        return;
    }
    const std::size_t bytes = rows_->rotation().bytes();
    Query& query = scratch.neighbour;
    query.codes.resize(bytes);
    query.bias = 128 * simd().as_query(rows_->codes() + from * bytes, bytes, query.codes.data());
    Link others[2 * kMaxM];
    std::int32_t scores[2 * kMaxM];
    std::copy_n(own, most, others);
    simd().dot_ids(query.codes.data(), query.bias, rows_->codes(), bytes, others, most, scores);
    std::vector<Candidate>& candidates = scratch.candidates;
    candidates.clear();
    candidates.push_back({score, to});
    for (std::size_t i = 0; i < most; ++i) candidates.push_back({scores[i], others[i]});
    // Of equal rows the newest: it links to those before it, so that all stay within reach.
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.score != b.score ? a.score > b.score : a.row > b.row;
    });
    Link chosen[2 * kMaxM];
    const std::size_t count = choose(candidates, most, scratch, chosen);
    for (std::size_t i = 0; i < most; ++i) store(own + i, i < count ? chosen[i] : kNone);
}

}  // namespace lucastra
