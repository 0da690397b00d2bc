// A fixed random rotation, and int8 quantisation in its coordinates.
//
// Rotated, the components of any unit vector are spread like N(0, 1/dimensions), so that one scale serves all
// rows and nothing is learned from data: rows of different indexes are comparable, and none is ever requantised.
// Random signs and a fast Walsh-Hadamard transform: Ailon and Chazelle, 2009; for other lengths than powers of
// two, overlapping blocks, as in Gao and Long's RaBitQ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lucastra {

// A vector prepared for comparison with stored rows.
struct Query {
    std::vector<std::int8_t> codes;    // [bytes]
    std::vector<std::uint64_t> signs;  // [bytes / 64]
    std::int32_t bias = 0;             // 128 * sum of codes
    float length = 0;                  // of the vector
    const float* vector = nullptr;     // [dimensions], the caller's
};

class Rotation {
  public:
    static constexpr std::size_t kMaxDimensions = 8192;

    // `dimensions` is at most kMaxDimensions.
    explicit Rotation(std::size_t dimensions);

    std::size_t dimensions() const { return dimensions_; }
    std::size_t bytes() const { return bytes_; }  // of a row: dimensions, rounded up to a multiple of 64
    std::size_t words() const { return bytes_ / 64; }

    // Inner products of codes times this are approximate inner products of vectors.
    float unit() const { return 1.0f / (scale_ * scale_); }
    // The squared length that a unit vector has in codes.
    float squared_length() const { return scale_ * scale_; }

    // Fill a stored row: components with 128 added, and one bit per component that is not negative.
    void encode(const float* vector, std::uint8_t* row, std::uint64_t* signs) const;

    void prepare(const float* vector, Query& query) const;

  private:
    void rotate(const float* vector, float* out) const;

    std::size_t dimensions_;
    std::size_t bytes_;
    std::size_t block_;  // the largest power of two that is at most `bytes_`
    float scale_;
    std::vector<float> flips_;
};

}  // namespace lucastra
