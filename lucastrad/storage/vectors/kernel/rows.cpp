#include "rows.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

#include "simd.hpp"

namespace lucastra {
namespace {

constexpr std::size_t kMaxCapacity = std::size_t{1} << 30;
constexpr std::size_t kMaxStride = std::size_t{1} << 20;
constexpr std::size_t kWord = 64;  // rows that one word of a bitmap speaks of
constexpr std::size_t kSampledWords = 256;
constexpr int kDense = 32;  // more rows of a word than this are compared in one go
constexpr std::size_t kFew = 2'048;  // so many are all compared: that takes less than 20 microseconds
// Recall@10 among 10,000 real rows is .9999 with 2 (.9986 in the worst of the synthetic sets), and it takes half the time
// that comparing all of them does.
constexpr double kDeviations = 2.0;

std::size_t words_of(std::size_t rows) {
    return (rows + kWord - 1) / kWord;
}

std::size_t checked(std::size_t value, std::size_t largest, const char* what) {
    if (value < 1 || value > largest)
        throw std::invalid_argument(std::string(what) + " must be between 1 and " + std::to_string(largest));
    return value;
}

Query& query_of_this_thread() {
    thread_local const std::unique_ptr<Query> query = std::make_unique<Query>();  // as in graph.cpp
    return *query;
}

}  // namespace

void Best::shrink() {
    const auto kth = candidates_.begin() + static_cast<std::ptrdiff_t>(count_ - 1);
    std::nth_element(candidates_.begin(), kth, candidates_.end(), [](const Candidate& a, const Candidate& b) {
        return a.score != b.score ? a.score > b.score : a.row < b.row;
    });
    threshold_ = kth->score;
    candidates_.resize(count_);
}

std::vector<Candidate>& Best::sorted() {
    std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
        return a.score != b.score ? a.score > b.score : a.row < b.row;
    });
    if (candidates_.size() > count_) candidates_.resize(count_);
    return candidates_;
}

Rows::Rows(std::size_t dimensions, std::size_t capacity)
    : rotation_(checked(dimensions, Rotation::kMaxDimensions, "dimensions")),
      capacity_(checked(capacity, kMaxCapacity, "capacity")),
      own_codes_(words_of(capacity) * kWord * rotation_.bytes()),
      own_signs_(capacity * rotation_.words()),
      codes_(own_codes_.data()),
      signs_(own_signs_.data()),
      alive_(words_of(capacity)) {}

Rows::Rows(std::size_t dimensions, std::size_t size, const std::uint8_t* codes, const std::uint64_t* signs,
           std::shared_ptr<const FileMap> file)
    : rotation_(checked(dimensions, Rotation::kMaxDimensions, "dimensions")),
      capacity_(size),
      file_(std::move(file)),
      codes_(codes),
      signs_(signs),
      alive_(std::max<std::size_t>(words_of(size), 1)),
      size_(size) {
    alive_.grow(words_of(size));
    for (std::size_t row = 0; row < size; row += kWord)
        alive_.data()[row / kWord] = size - row >= kWord ? ~std::uint64_t{0} : (std::uint64_t{1} << (size - row)) - 1;
}

void Rows::map_vectors(int descriptor, std::size_t offset, std::size_t stride) {
    if (stride < dimensions() * sizeof(float) || offset % sizeof(float) != 0 || stride % sizeof(float) != 0)
        throw std::invalid_argument("the stride must hold a vector; offset and stride are multiples of 4");
    if (offset > kMaxCapacity * kMaxStride || stride > kMaxStride)
        throw std::invalid_argument("the offset or the stride is too large");
    vectors_ = FileMap(descriptor, offset + capacity_ * stride, true);
    vectors_offset_ = offset;
    vectors_stride_ = stride;
}

void Rows::append(const float* vectors, const bool* alive, std::size_t count) {
    const std::size_t first = size_.load(std::memory_order_relaxed);
    if (file_ != nullptr) throw std::invalid_argument("these rows stand in a file and cannot grow");
    if (count > capacity_ - first)
        throw std::invalid_argument("there is room for " + std::to_string(capacity_ - first) + " more rows");
    own_codes_.grow((first + count) * rotation_.bytes());
    own_signs_.grow((first + count) * rotation_.words());
    alive_.grow(words_of(first + count));
    std::size_t dead = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t row = first + i;
        const bool lives = alive == nullptr || alive[i];
        rotation_.encode(vectors + i * dimensions(), own_codes_.data() + row * rotation_.bytes(),
                         own_signs_.data() + row * rotation_.words());
        if (lives) __atomic_fetch_or(alive_.data() + row / kWord, std::uint64_t{1} << (row % kWord), __ATOMIC_RELAXED);
        dead += !lives;
    }
    dead_count_.fetch_add(dead, std::memory_order_relaxed);
    size_.store(first + count, std::memory_order_release);
}

std::size_t Rows::kill(std::span<const std::uint32_t> rows) {
    const std::size_t end = size();
    if (std::any_of(rows.begin(), rows.end(), [end](std::uint32_t row) { return row >= end; }))
        throw std::out_of_range("there is no such row");
    std::size_t killed = 0;
    for (const std::uint32_t row : rows) {
        const std::uint64_t bit = std::uint64_t{1} << (row % kWord);
        killed += (__atomic_fetch_and(alive_.data() + row / kWord, ~bit, __ATOMIC_RELAXED) & bit) != 0;
    }
    dead_count_.fetch_add(killed, std::memory_order_relaxed);
    return killed;
}

std::uint64_t Rows::live_word(std::size_t word, std::size_t size, Eligible eligible) const {
    const std::uint64_t live = alive_word(word) & eligible.word(word);
    const std::size_t rest = size - word * kWord;  // rows that came after `size` was read wait for the next search
    return rest >= kWord ? live : live & ((std::uint64_t{1} << rest) - 1);
}

void Rows::compare(const Query& query, std::span<const std::uint32_t> rows, Best& best) const {
    std::int32_t scores[256];
    const Simd& level = simd();
    for (std::size_t start = 0; start < rows.size(); start += std::size(scores)) {
        const std::size_t count = std::min(rows.size() - start, std::size(scores));
        level.dot_ids(query.codes.data(), query.bias, codes_, rotation_.bytes(), rows.data() + start, count, scores);
        for (std::size_t i = 0; i < count; ++i) best.push(scores[i], rows[start + i]);
    }
}

Hits Rows::scan(const float* vector, std::size_t limit, Eligible eligible, std::size_t sign_candidates) const {
    Query& query = query_of_this_thread();
    rotation_.prepare(vector, query);
    limit = std::min(limit, size());
    Best best(pool_size(limit));
    if (sign_candidates > 0) {
        compare(query, nearest_by_sign(query, std::max(sign_candidates, pool_size(limit)), eligible), best);
        return rerank(query, best.sorted(), limit);
    }
    const Simd& level = simd();
    const std::size_t rows = size(), bytes = rotation_.bytes(), words = rotation_.words();
    std::int32_t scores[kWord];
    std::uint16_t distances[kWord];
    std::uint32_t some[kWord];
    std::int32_t judged = std::numeric_limits<std::int32_t>::min();
    std::uint16_t farthest = std::numeric_limits<std::uint16_t>::max();
    for (std::size_t word = 0; word < words_of(rows); ++word) {
        std::uint64_t live = live_word(word, rows, eligible);
        const auto first = static_cast<std::uint32_t>(word * kWord);
        const std::size_t count = std::min<std::size_t>(kWord, rows - first);
        if (rows > kFew && best.threshold() != judged) {
            judged = best.threshold();
            farthest = farthest_signs(query, judged);
        }
        if (farthest < bytes) {
            level.hamming_range(query.signs.data(), signs_ + first * words, words, count, distances);
            live &= level.at_most(distances, farthest);
        }
        if (const int near = std::popcount(live); near <= kDense) {
            for (int i = 0; i < near; ++i, live &= live - 1)
                some[i] = first + static_cast<std::uint32_t>(std::countr_zero(live));
            compare(query, {some, static_cast<std::size_t>(near)}, best);
            continue;
        }
        level.dot_range(query.codes.data(), query.bias, codes_ + first * bytes, bytes, count, scores);
        for (std::size_t i = 0; i < count; ++i)
            if (scores[i] > best.threshold() && (live >> i & 1))
                best.push(scores[i], first + static_cast<std::uint32_t>(i));
    }
    return rerank(query, best.sorted(), limit);
}

// The angle between two vectors is pi times the share of random directions on whose opposite sides they lie (Charikar,
// 2002): what stands farther by more than kDeviations of that share is not compared.
std::uint16_t Rows::farthest_signs(const Query& query, std::int32_t score) const {
    const double cosine = std::clamp(static_cast<double>(score) * rotation_.unit() / query.length, -1.0, 1.0);
    const double share = std::acos(cosine) / std::numbers::pi;
    const double deviation = std::sqrt(share * (1 - share) / static_cast<double>(dimensions()));
    const double farthest = (share + kDeviations * deviation) * static_cast<double>(rotation_.bytes());
    return static_cast<std::uint16_t>(std::ceil(farthest));
}

Hits Rows::scan_rows(const float* vector, std::size_t limit, std::span<const std::uint32_t> rows) const {
    Query& query = query_of_this_thread();
    rotation_.prepare(vector, query);
    const std::size_t end = size();
    std::vector<std::uint32_t> live;
    live.reserve(rows.size());
    for (const std::uint32_t row : rows) {
        if (row >= end) throw std::out_of_range("there is no such row");
        if (is_alive(row)) live.push_back(row);
    }
    limit = std::min(limit, live.size());
    Best best(pool_size(limit));
    compare(query, live, best);
    return rerank(query, best.sorted(), limit);
}

std::vector<std::uint32_t> Rows::nearest_by_sign(const Query& query, std::size_t count, Eligible eligible) const {
    const std::size_t rows = size(), words = words_of(rows);
    thread_local std::vector<std::uint16_t> kept;
    kept.resize(std::max(kept.size(), words * kWord));
    std::uint16_t* const distances = kept.data();
    simd().hamming_range(query.signs.data(), signs_, rotation_.words(), rows, distances);
    std::size_t all = 0, inhabited = 0;
    for (std::size_t word = 0; word < words; ++word) {
        const std::uint64_t live = live_word(word, rows, eligible);
        all += static_cast<std::size_t>(std::popcount(live));
        inhabited += live != 0;
    }
    count = std::min(count, all);
    if (count == 0) return {};
    // The distance that admits `count` rows is learned from every n-th word that has any: those of one
    // workspace, or what a merge has left, stand side by side.
    const std::size_t step = (inhabited + kSampledWords - 1) / kSampledWords;
    std::vector<std::uint32_t> histogram(rotation_.bytes() + 1);
    std::size_t sampled = 0, seen = 0;
    for (std::size_t word = 0; word < words; ++word) {
        std::uint64_t live = live_word(word, rows, eligible);
        if (live == 0 || seen++ % step != 0) continue;
        sampled += static_cast<std::size_t>(std::popcount(live));
        for (; live != 0; live &= live - 1)
            ++histogram[distances[word * kWord + static_cast<std::size_t>(std::countr_zero(live))]];
    }
    const std::size_t needed = count == all ? sampled : std::min(sampled, count * sampled / all + 1);
    std::size_t limit = 0, found = histogram[0];
    while (found < needed) found += histogram[++limit];
    if (count == all) limit = rotation_.bytes();
    std::vector<std::uint32_t> nearest;
    nearest.reserve(2 * count);
    for (std::size_t word = 0; word < words; ++word) {
        std::uint64_t near = live_word(word, rows, eligible);
        near &= simd().at_most(distances + word * kWord, static_cast<std::uint16_t>(limit));
        for (; near != 0; near &= near - 1)
            nearest.push_back(
                static_cast<std::uint32_t>(word * kWord + static_cast<std::size_t>(std::countr_zero(near))));
    }
    return nearest;
}

Hits Rows::rerank(const Query& query, std::vector<Candidate>& candidates, std::size_t limit) const {
    struct Scored {
        float score;
        std::uint32_t row;
    };
    std::vector<Scored> scored;
    scored.reserve(candidates.size());
    if (has_vectors()) {
        const Simd& level = simd();
        const std::size_t line = 64 / sizeof(float);
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            if (i + 1 < candidates.size())
                for (std::size_t at = 0; at < dimensions(); at += line) prefetch(vector(candidates[i + 1].row) + at);
            const std::uint32_t row = candidates[i].row;
            const float score = level.dot_f32(query.vector, vector(row), dimensions());
            scored.push_back({score == score ? score : -std::numeric_limits<float>::infinity(), row});  // NaN last
        }
    } else {
        for (const Candidate& candidate : candidates)
            scored.push_back({static_cast<float>(candidate.score) * rotation_.unit(), candidate.row});
    }
    const std::size_t count = std::min(limit, scored.size());
    std::partial_sort(
        scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(count), scored.end(),
        [](const Scored& a, const Scored& b) { return a.score != b.score ? a.score > b.score : a.row < b.row; });
    Hits hits;
    hits.rows.reserve(count);
    hits.scores.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        hits.rows.push_back(scored[i].row);
        hits.scores.push_back(scored[i].score);
    }
    return hits;
}

}  // namespace lucastra
