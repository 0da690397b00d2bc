// Quantised rows: growing in memory, or mapped from a saved graph; and exact scans over them.
//
// Invariant: one writer (append, kill) beside any number of searchers. A row is written before `size` admits it,
// and never moves or changes afterwards; only its bit in `alive` can still be cleared.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "memory.hpp"
#include "rotation.hpp"

namespace lucastra {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

struct Hits {
    std::vector<std::uint32_t> rows;
    std::vector<float> scores;
};

struct Candidate {
    std::int32_t score;
    std::uint32_t row;
};

// Which rows may be found: one bit each, none past the end. Without words, all of them.
class Eligible {
  public:
    Eligible() = default;
    Eligible(const std::uint64_t* words, std::size_t count) : words_(words), count_(count), some_(true) {}
    explicit operator bool() const { return some_; }
    std::uint64_t word(std::size_t i) const {
        if (!some_) return ~std::uint64_t{0};
        return i < count_ ? words_[i] : 0;
    }

  private:
    const std::uint64_t* words_ = nullptr;
    std::size_t count_ = 0;
    bool some_ = false;  // an empty bitmap has no address, and admits nothing
};

// The best `count` of the candidates pushed, in no order until `sorted`.
class Best {
  public:
    explicit Best(std::size_t count) : count_(count) { candidates_.reserve(2 * count); }

    // A score that is not above this one would not be kept.
    std::int32_t threshold() const { return threshold_; }

    void push(std::int32_t score, std::uint32_t row) {
        if (score <= threshold_) return;
        candidates_.push_back({score, row});
        if (candidates_.size() == 2 * count_) shrink();
    }

    std::vector<Candidate>& sorted();

  private:
    void shrink();

    std::size_t count_;
    std::int32_t threshold_ = std::numeric_limits<std::int32_t>::min();
    std::vector<Candidate> candidates_;
};

class Rows {
  public:
    // Throws std::invalid_argument when dimensions or capacity are out of range.
    Rows(std::size_t dimensions, std::size_t capacity);
    // Rows that stand in a mapped file, all of them alive.
    Rows(std::size_t dimensions, std::size_t size, const std::uint8_t* codes, const std::uint64_t* signs,
         std::shared_ptr<const FileMap> file);

    void map_vectors(int descriptor, std::size_t offset, std::size_t stride);

    // `vectors` is [count, dimensions]; `alive` is null (all are) or [count].
    void append(const float* vectors, const bool* alive, std::size_t count);
    std::size_t kill(std::span<const std::uint32_t> rows);

    std::size_t dimensions() const { return rotation_.dimensions(); }
    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return size_.load(std::memory_order_acquire); }
    std::size_t dead() const { return dead_count_.load(std::memory_order_relaxed); }
    std::size_t alive() const {
        const std::size_t rows = size();  // first: rows that come meanwhile may only add to the dead
        return rows - std::min(rows, dead());
    }
    bool is_alive(std::uint32_t row) const { return alive_word(row / 64) >> (row % 64) & 1; }
    std::size_t memory_bytes() const {  // by `size`: how far the reserves have grown is the writer's to read
        const std::size_t rows = size();
        return (file_ != nullptr ? 0 : rows * (rotation_.bytes() + rotation_.words() * 8)) + rows / 8;
    }
    bool has_vectors() const { return vectors_.data() != nullptr; }
    const float* vector(std::uint32_t row) const {
        return reinterpret_cast<const float*>(vectors_.data() + vectors_offset_ + row * vectors_stride_);
    }

    const Rotation& rotation() const { return rotation_; }
    const std::uint8_t* codes() const { return codes_; }
    const std::uint64_t* signs() const { return signs_; }
    std::uint64_t alive_word(std::size_t word) const { return __atomic_load_n(alive_.data() + word, __ATOMIC_RELAXED); }

    // The `limit` nearest live rows. With `sign_candidates`, only about that many, the nearest by
    // their signs, are compared.
    Hits scan(const float* vector, std::size_t limit, Eligible eligible, std::size_t sign_candidates) const;
    Hits scan_rows(const float* vector, std::size_t limit, std::span<const std::uint32_t> rows) const;

    // The best `limit` of candidates by float32 where vectors are mapped, by their int8 scores otherwise.
    Hits rerank(const Query& query, std::vector<Candidate>& candidates, std::size_t limit) const;

    // How many candidates are re-ranked for `limit` results: recall@10 of the scan is .999 with 36 of them.
    static std::size_t pool_size(std::size_t limit) { return 2 * limit + 16; }

  private:
    std::uint64_t live_word(std::size_t word, std::size_t size, Eligible eligible) const;
    std::vector<std::uint32_t> nearest_by_sign(const Query& query, std::size_t count, Eligible eligible) const;
    std::uint16_t farthest_signs(const Query& query, std::int32_t score) const;
    void compare(const Query& query, std::span<const std::uint32_t> rows, Best& best) const;

    Rotation rotation_;
    std::size_t capacity_;
    Growing<std::uint8_t> own_codes_;
    Growing<std::uint64_t> own_signs_;
    std::shared_ptr<const FileMap> file_;
    const std::uint8_t* codes_;
    const std::uint64_t* signs_;
    Growing<std::uint64_t> alive_;
    FileMap vectors_;
    std::size_t vectors_offset_ = 0;
    std::size_t vectors_stride_ = 0;
    std::atomic<std::size_t> size_{0};
    std::atomic<std::size_t> dead_count_{0};
};

}  // namespace lucastra
