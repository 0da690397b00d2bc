// Hierarchical navigable small world graphs: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
// search using Hierarchical Navigable Small World graphs", TPAMI 2018.
//
// Invariant: one writer (insert) beside any number of searchers, without locks. Links are read and written one
// by one, atomically; a link is stored only after the row that it names is complete. Whatever numbers the links of
// a mapped file hold, a search reads nothing outside of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memory.hpp"
#include "rows.hpp"

namespace lucastra {

class Graph {
  public:
    static constexpr std::size_t kMaxM = 128;

    // Throws std::invalid_argument when m or ef_construction is out of range.
    Graph(std::shared_ptr<Rows> rows, std::size_t m, std::size_t ef_construction);

    // See graph_file.cpp. Throw std::invalid_argument naming what is damaged, std::system_error.
    static std::unique_ptr<Graph> open(const std::string& path, int vectors, std::size_t offset, std::size_t stride,
                                       bool verify);
    void save(const std::string& path, const std::int64_t* ids) const;
    void verify() const;

    // Link the next `count` rows that are not linked yet.
    void insert(std::size_t count);

    Hits search(const float* vector, std::size_t limit, std::size_t ef, Eligible eligible) const;

    std::size_t size() const { return size_.load(std::memory_order_acquire); }
    const std::shared_ptr<Rows>& rows() const { return rows_; }
    const std::int64_t* ids() const { return ids_; }

  private:
    using Link = std::uint32_t;

    // Where a search enters: the highest level, and a row that reaches it.
    struct Entry {
        std::uint32_t row = kNone;
        std::uint32_t level = 0;
    };

    // The candidates of a search, best first: an array serves better than two heaps, as it is short.
    struct Pool;
    struct Scratch;

    Graph() = default;

    Entry entry() const;
    // A row's links at a level, and how many there may be; null where a damaged file points outside of itself.
    Link* links(std::uint32_t row, std::size_t level) const;
    std::size_t width(std::size_t level) const { return level == 0 ? 2 * m_ : m_; }

    void link(std::uint32_t row);
    std::uint32_t descend(const Query& query, Entry from, std::size_t to_level) const;
    // The best `ef` rows of a level by greedy search from `start`. Live eligible rows met on the
    // way go to `wanted`, where there is one.
    void search_level(const Query& query, std::uint32_t start, std::size_t level, std::size_t ef, Scratch& scratch,
                      Best* wanted = nullptr, Eligible eligible = {}) const;
    // Algorithm 4: of candidates, best first, those that are nearer to the new row than to any chosen before them.
    std::size_t choose(std::span<const Candidate> candidates, std::size_t count, Scratch& scratch, Link* chosen) const;
    void add_link(std::uint32_t from, std::uint32_t to, std::int32_t score, std::size_t level, Scratch& scratch);

    std::shared_ptr<Rows> rows_;
    std::size_t m_ = 0;
    std::size_t ef_construction_ = 0;
    Growing<Link> own_links_;
    Growing<Link> own_upper_links_;
    Growing<std::uint32_t> own_upper_start_;
    Link* links_ = nullptr;                 // [size, 2m], kNone behind the last one
    Link* upper_links_ = nullptr;           // [level, m] for each row that has upper levels
    std::uint32_t* upper_start_ = nullptr;  // [size]: where a row's upper links start; kNone: it has none
    std::size_t upper_capacity_ = 0;
    std::size_t upper_size_ = 0;
    const std::int64_t* ids_ = nullptr;  // of an opened graph
    std::shared_ptr<const FileMap> file_;
    std::atomic<std::size_t> size_{0};
    std::atomic<std::uint64_t> entry_{kNone};  // level in the upper half, row in the lower
};

}  // namespace lucastra
