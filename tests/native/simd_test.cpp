// Every instruction set gives the same integers, and so the same graphs; and CRC-32C is what it must be.

#include "simd.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "crc32c.hpp"
#include "graph.hpp"
#include "kernel_case.hpp"
#include "rows.hpp"

namespace lucastra_portable {
std::uint32_t crc32c(const void* data, std::size_t bytes, std::uint32_t seed);  // portable_crc32c.cpp
}

namespace lucastra::testing {
namespace {

// --- instruction sets -----------------------------------------------------------------------------

const std::size_t kLengths[] = {64, 128, 192, 256, 320, 384, 448, 512, 768, 832, 1024};
const std::size_t kCounts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65};

template <typename T>
std::vector<T> random_values(std::size_t count, std::uint64_t seed) {
    Random random(seed);
    std::vector<T> values(count);
    for (T& value : values) value = static_cast<T>(random.bits());
    return values;
}

void levels_give_the_same_inner_products() {
    for (const std::size_t bytes : kLengths) {
        // Stored bytes may be anything (a damaged file); what is compared with them stays in -127 .. 127.
        auto stored = random_values<std::uint8_t>(80 * bytes, bytes);
        std::fill_n(stored.begin(), bytes, std::uint8_t{0});
        std::fill_n(stored.begin() + static_cast<std::ptrdiff_t>(bytes), bytes, std::uint8_t{255});
        auto query = random_values<std::int8_t>(bytes, bytes + 1);
        for (const int extreme : {0, -127, 127}) {
            for (std::int8_t& code : query)
                code = static_cast<std::int8_t>(extreme != 0 ? extreme : std::max<int>(code, -127));
            const std::int32_t bias = 128 * std::accumulate(query.begin(), query.end(), std::int32_t{0});
            std::vector<std::uint32_t> ids;
            Random random(bytes);
            for (std::size_t i = 0; i < 65; ++i) ids.push_back(static_cast<std::uint32_t>(random.below(80)));
            for (const std::size_t count : kCounts) {
                std::vector<std::int32_t> wanted_range(count), wanted_ids(count);
                for (std::size_t i = 0; i < count; ++i) {
                    for (std::size_t b = 0; b < bytes; ++b) {
                        wanted_range[i] += (int{stored[i * bytes + b]} - 128) * query[b];
                        wanted_ids[i] += (int{stored[ids[i] * bytes + b]} - 128) * query[b];
                    }
                }
                for (const Simd* level : simd_levels()) {
                    std::vector<std::int32_t> out(count);
                    level->dot_range(query.data(), bias, stored.data(), bytes, count, out.data());
                    CHECK(out == wanted_range);
                    level->dot_ids(query.data(), bias, stored.data(), bytes, ids.data(), count, out.data());
                    CHECK(out == wanted_ids);
                }
            }
        }
    }
}

void levels_give_the_same_hamming_distances() {
    for (const std::size_t bytes : kLengths) {
        const std::size_t words = bytes / 64;
        const auto stored = random_values<std::uint64_t>(65 * words, bytes);
        const auto query = random_values<std::uint64_t>(words, bytes + 1);
        for (const std::size_t count : kCounts) {
            std::vector<std::uint16_t> wanted(count);
            for (std::size_t i = 0; i < count; ++i)
                for (std::size_t w = 0; w < words; ++w)
                    wanted[i] = static_cast<std::uint16_t>(wanted[i] + std::popcount(query[w] ^ stored[i * words + w]));
            for (const Simd* level : simd_levels()) {
                std::vector<std::uint16_t> out(count);
                level->hamming_range(query.data(), stored.data(), words, count, out.data());
                CHECK(out == wanted);
            }
        }
    }
}

void levels_find_the_same_values_at_most_a_limit() {
    auto values = random_values<std::uint16_t>(64, 1);
    for (std::size_t i = 0; i < 64; i += 5) values[i] = static_cast<std::uint16_t>(1'000 + i);
    for (const unsigned limit : {0u, 1u, 999u, 1'000u, 1'030u, 0x7FFFu, 0x8000u, 0xFFFEu, 0xFFFFu}) {
        std::uint64_t wanted = 0;
        for (std::size_t i = 0; i < 64; ++i) wanted |= std::uint64_t{values[i] <= limit} << i;
        for (const Simd* level : simd_levels())
            CHECK(level->at_most(values.data(), static_cast<std::uint16_t>(limit)) == wanted);
    }
}

void levels_turn_rows_into_the_same_queries() {
    for (const std::size_t bytes : kLengths) {
        const auto stored = random_values<std::uint8_t>(bytes, bytes);
        std::vector<std::int8_t> wanted(bytes);
        for (std::size_t i = 0; i < bytes; ++i) wanted[i] = static_cast<std::int8_t>(int{stored[i]} - 128);
        const std::int32_t sum = std::accumulate(wanted.begin(), wanted.end(), std::int32_t{0});
        for (const Simd* level : simd_levels()) {
            std::vector<std::int8_t> query(bytes);
            CHECK(level->as_query(stored.data(), bytes, query.data()) == sum);
            CHECK(query == wanted);
        }
    }
}

void levels_quantise_alike_whatever_the_numbers() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kHuge = std::numeric_limits<float>::max();
    constexpr float kTiny = std::numeric_limits<float>::denorm_min();
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
    // With a scale of 2: halves that round to even, the clipping bounds and what lies around them.
    const float odd[] = {kNaN,  -kNaN,  kInfinity, -kInfinity, kHuge,  -kHuge,  kTiny,   -kTiny, 0.0f,   -0.0f,
                         0.25f, -0.25f, 0.75f,     -0.75f,     63.25f, -63.25f, 63.499f, 63.5f,  63.75f, -64.0f};
    for (const std::size_t count : kLengths) {
        Random random(count);
        std::vector<float> x(count);
        for (std::size_t i = 0; i < count; ++i)
            x[i] = i % 3 == 0 ? odd[random.below(std::size(odd))] : 20 * random.normal();
        std::vector<std::uint8_t> wanted(count);
        std::vector<std::uint64_t> wanted_signs(count / 64);
        for (std::size_t i = 0; i < count; ++i) {
            const double scaled = std::isnan(x[i]) ? -127.0 : std::clamp(double{x[i]} * 2, -127.0, 127.0);
            wanted[i] = static_cast<std::uint8_t>(128 + std::lrint(scaled));
            if (x[i] >= 0) wanted_signs[i / 64] |= std::uint64_t{1} << (i % 64);
        }
        for (const Simd* level : simd_levels()) {
            std::vector<std::uint8_t> row(count);
            std::vector<std::uint64_t> signs(count / 64, ~std::uint64_t{0});
            level->quantise(x.data(), count, 2.0f, row.data(), signs.data());
            CHECK(row == wanted);
            CHECK(signs == wanted_signs);
        }
    }
}

void levels_transform_alike() {
    for (std::size_t count = 64; count <= Rotation::kMaxDimensions; count *= 2) {
        Random random(count);
        std::vector<float> x(count);
        for (float& value : x) value = random.normal();
        std::vector<float> wanted = x;
        simd_levels().back()->walsh_hadamard(wanted.data(), count);
        // By definition: component i is the sum of x[j], negated where i and j share an odd number of bits.
        for (const std::size_t i : {std::size_t{0}, std::size_t{1}, count / 2 + 3, count - 1}) {
            double sum = 0;
            for (std::size_t j = 0; j < count; ++j) sum += std::popcount(i & j) % 2 == 0 ? x[j] : -x[j];
            CHECK(std::abs(sum - double{wanted[i]}) < 1e-3);
        }
        for (const Simd* level : simd_levels()) {
            std::vector<float> out = x;
            level->walsh_hadamard(out.data(), count);
            CHECK(out == wanted);  // the same additions in the same order: to the last bit
        }
    }
}

void levels_give_nearly_the_same_float_products() {
    for (std::size_t count = 1; count <= 1024; count += count < 70 ? 1 : 61) {
        const Vectors pair = unit_vectors(2, count, count);
        const float wanted = pair.product(0, pair[1]);
        for (const Simd* level : simd_levels())
            CHECK(std::abs(level->dot_f32(pair[0], pair[1], count) - wanted) < 1e-6f);
    }
}

void levels_build_the_same_graph() {
    const Vectors vectors = unit_vectors(400, 96, 1, 8);
    const std::vector<std::int64_t> ids(vectors.size());
    const Folder folder;
    std::string first;
    for (const Simd* level : simd_levels()) {
        CHECK(set_simd(level->name));
        Graph graph(rows_of(vectors), 8, 60);
        graph.insert(vectors.size());
        const std::string path = folder / std::string(level->name).c_str();
        graph.save(path, ids.data());
        if (first.empty()) first = contents(path);
        CHECK(contents(path) == first);
    }
    CHECK(!set_simd("none such"));
    set_simd(simd_levels().front()->name);
}

// --- CRC-32C --------------------------------------------------------------------------------------

void crc32c_gives_the_published_values() {
    CHECK(crc32c("", 0) == 0);
    CHECK(crc32c("123456789", 9) == 0xE3069283);
    std::vector<std::uint8_t> bytes(32);  // RFC 3720, B.4
    CHECK(crc32c(bytes.data(), 32) == 0x8A9136AA);
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xFF});
    CHECK(crc32c(bytes.data(), 32) == 0x62A8AB43);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    CHECK(crc32c(bytes.data(), 32) == 0x46DD794E);
    std::reverse(bytes.begin(), bytes.end());
    CHECK(crc32c(bytes.data(), 32) == 0x113FDB5C);
}

void crc32c_is_the_same_with_and_without_the_instruction() {
    constexpr std::size_t kLongest = 10'000;
    const auto bytes = random_values<std::uint8_t>(kLongest + 8, 1);
    for (std::size_t length = 0; length <= kLongest; ++length) {
        const std::uint8_t* start = bytes.data() + length % 8;
        const std::uint32_t crc = crc32c(start, length, 12345);
        CHECK(crc == lucastra_portable::crc32c(start, length, 12345));
        const std::size_t half = length / 3;
        CHECK(crc == crc32c(start + half, length - half, crc32c(start, half, 12345)));
    }
}

}  // namespace

std::vector<Test> simd_tests() {
    return {
        TEST(levels_give_the_same_inner_products),         TEST(levels_give_the_same_hamming_distances),
        TEST(levels_find_the_same_values_at_most_a_limit), TEST(levels_turn_rows_into_the_same_queries),
        TEST(levels_quantise_alike_whatever_the_numbers),  TEST(levels_transform_alike),
        TEST(levels_give_nearly_the_same_float_products),  TEST(levels_build_the_same_graph),
        TEST(crc32c_gives_the_published_values),           TEST(crc32c_is_the_same_with_and_without_the_instruction)};
}

}  // namespace lucastra::testing
