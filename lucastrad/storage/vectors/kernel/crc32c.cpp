#include "crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace lucastra {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
        tables[0][i] = crc;
    }
    for (std::uint32_t i = 0; i < 256; ++i)
        for (std::size_t k = 1; k < 8; ++k) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xFF];
    return tables;
}

constexpr Tables kTables = make_tables();

// Slicing by 8 (Kounavis and Berry, 2005).
std::uint32_t update_portable(std::uint32_t crc, const unsigned char* data, std::size_t bytes) {
    for (; bytes >= 8; data += 8, bytes -= 8) {
        std::uint64_t word;
        std::memcpy(&word, data, 8);
        word ^= crc;
        crc = 0;
        for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(word >> (8 * k)) & 0xFF];
    }
    for (; bytes > 0; ++data, --bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xFF];
    return crc;
}

#if defined(__x86_64__)

// The matrix of "append n zero bytes", applied byte-wise: joins the CRCs of neighbouring blocks.
struct Shift {
    std::uint32_t table[4][256];

    explicit Shift(std::size_t zeros) {
        std::array<std::uint32_t, 32> columns{};
        for (std::size_t bit = 0; bit < 32; ++bit) {
            std::uint32_t crc = 1u << bit;
            for (std::size_t i = 0; i < zeros; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xFF];
            columns[bit] = crc;
        }
        for (std::size_t byte = 0; byte < 4; ++byte) {
            for (std::uint32_t value = 0; value < 256; ++value) {
                std::uint32_t sum = 0;
                for (std::size_t bit = 0; bit < 8; ++bit)
                    if (value >> bit & 1) sum ^= columns[8 * byte + bit];
                table[byte][value] = sum;
            }
        }
    }

    std::uint32_t operator()(std::uint32_t crc) const {
        return table[0][crc & 0xFF] ^ table[1][crc >> 8 & 0xFF] ^ table[2][crc >> 16 & 0xFF] ^ table[3][crc >> 24];
    }
};

constexpr std::size_t kBlock = 1024;

// The instruction takes 3 cycles and can start every cycle: three blocks at a time keep it busy.
__attribute__((target("sse4.2"))) std::uint32_t update_sse42(std::uint32_t crc, const unsigned char* data,
                                                             std::size_t bytes) {
    static const Shift past_block(kBlock);
    const auto word_at = [](const unsigned char* at) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        return word;
    };
    for (; bytes >= 3 * kBlock; data += 3 * kBlock, bytes -= 3 * kBlock) {
        std::uint64_t a = crc, b = 0, c = 0;
        for (std::size_t i = 0; i < kBlock; i += 8) {
            a = _mm_crc32_u64(a, word_at(data + i));
            b = _mm_crc32_u64(b, word_at(data + kBlock + i));
            c = _mm_crc32_u64(c, word_at(data + 2 * kBlock + i));
        }
        const std::uint32_t ab = past_block(static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
        crc = past_block(ab) ^ static_cast<std::uint32_t>(c);
    }
    for (; bytes >= 8; data += 8, bytes -= 8) crc = static_cast<std::uint32_t>(_mm_crc32_u64(crc, word_at(data)));
    for (; bytes > 0; ++data, --bytes) crc = _mm_crc32_u8(crc, *data);
    return crc;
}

#endif

}  // namespace

std::uint32_t crc32c(const void* data, std::size_t bytes, std::uint32_t seed) {
    const auto* at = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
    static const bool hardware = __builtin_cpu_supports("sse4.2");
    if (hardware) return ~update_sse42(~seed, at, bytes);
#endif
    return ~update_portable(~seed, at, bytes);
}

}  // namespace lucastra
