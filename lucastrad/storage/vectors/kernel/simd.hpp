// The few loops whose speed matters, one version of each per instruction set, chosen at run time.
//
// Invariant: the integer functions give the same results in every version, so that a graph built on one
// machine is the graph that any other would have built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lucastra {

struct Simd {
    std::string_view name;

    // out[i] = inner product of the int8 query and row ids[i], whose components are stored with 128 added.
    // `bytes` is a multiple of 64, rows are `bytes` apart, bias is 128 * (sum of the query's components).
    void (*dot_ids)(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows, std::size_t bytes,
                    const std::uint32_t* ids, std::size_t count, std::int32_t* out);

    // The same for `count` consecutive rows.
    void (*dot_range)(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows, std::size_t bytes,
                      std::size_t count, std::int32_t* out);

    // out[i] = how many bits of row i differ from the query's; rows are `words` words long.
    void (*hamming_range)(const std::uint64_t* query, const std::uint64_t* rows, std::size_t words, std::size_t count,
                          std::uint16_t* out);

    // One bit for each of 64 values that is at most `limit`.
    std::uint64_t (*at_most)(const std::uint16_t* values, std::uint16_t limit);

    // The int8 query that a stored row is; returns the sum of its components.
    std::int32_t (*as_query)(const std::uint8_t* row, std::size_t bytes, std::int8_t* query);

    // In place and not normalised; `count` is a power of two, at least 64.
    void (*walsh_hadamard)(float* x, std::size_t count);

    // Store round(x * scale) + 128, clipped at 128 +- 127 (NaN counts as the least), and one bit per x that is not
    // negative; `count` is a multiple of 64.
    void (*quantise)(const float* x, std::size_t count, float scale, std::uint8_t* row, std::uint64_t* signs);

    float (*dot_f32)(const float* a, const float* b, std::size_t count);
};

// What this machine can run, best first; the last one is plain C++.
const std::vector<const Simd*>& simd_levels();

const Simd& simd();

// False when this machine has no such level.
bool set_simd(std::string_view name);

inline void prefetch(const void* address) {
    __builtin_prefetch(address, 0, 3);
}

}  // namespace lucastra
