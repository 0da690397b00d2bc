#include "simd.hpp"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace lucastra {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kAhead = 8;         // rows that are on their way before they are needed
constexpr std::size_t kScanAhead = 4096;  // the processor's own prefetching ends with the page

inline void prefetch_row(const std::uint8_t* row, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += kLine) prefetch(row + i);
}

// --- plain C++ ------------------------------------------------------------------------------------

inline std::int32_t dot_portable(const std::int8_t* query, const std::uint8_t* row, std::size_t bytes) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < bytes; ++i) sum += (static_cast<std::int32_t>(row[i]) - 128) * query[i];
    return sum;
}

void dot_ids_portable(const std::int8_t* query, std::int32_t, const std::uint8_t* rows, std::size_t bytes,
                      const std::uint32_t* ids, std::size_t count, std::int32_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kAhead < count) prefetch_row(rows + ids[i + kAhead] * bytes, bytes);
        out[i] = dot_portable(query, rows + ids[i] * bytes, bytes);
    }
}

void dot_range_portable(const std::int8_t* query, std::int32_t, const std::uint8_t* rows, std::size_t bytes,
                        std::size_t count, std::int32_t* out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = dot_portable(query, rows + i * bytes, bytes);
}

void hamming_portable(const std::uint64_t* query, const std::uint64_t* rows, std::size_t words, std::size_t count,
                      std::uint16_t* out) {
    for (std::size_t i = 0; i < count; ++i, rows += words) {
        int bits = 0;
        for (std::size_t w = 0; w < words; ++w) bits += std::popcount(query[w] ^ rows[w]);
        out[i] = static_cast<std::uint16_t>(bits);
    }
}

std::uint64_t at_most_portable(const std::uint16_t* values, std::uint16_t limit) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 64; ++i) bits |= static_cast<std::uint64_t>(values[i] <= limit) << i;
    return bits;
}

std::int32_t as_query_portable(const std::uint8_t* row, std::size_t bytes, std::int8_t* query) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        query[i] = static_cast<std::int8_t>(row[i] ^ 0x80);
        sum += query[i];
    }
    return sum;
}

void walsh_hadamard_portable(float* x, std::size_t count) {
    for (std::size_t half = 1; half < count; half *= 2) {
        for (std::size_t start = 0; start < count; start += 2 * half) {
            for (std::size_t i = start; i < start + half; ++i) {
                const float a = x[i], b = x[i + half];
                x[i] = a + b;
                x[i + half] = a - b;
            }
        }
    }
}

constexpr float kLargest = 127.0f;

void quantise_portable(const float* x, std::size_t count, float scale, std::uint8_t* row, std::uint64_t* signs) {
    for (std::size_t word = 0; word < count / 64; ++word) {
        std::uint64_t bits = 0;
        for (std::size_t i = word * 64; i < word * 64 + 64; ++i) {
            float scaled = x[i] * scale;
            scaled = scaled > -kLargest ? scaled : -kLargest;  // in this order, so that NaN becomes a number
            scaled = scaled < kLargest ? scaled : kLargest;
            row[i] = static_cast<std::uint8_t>(128 + std::lrintf(scaled));
            bits |= static_cast<std::uint64_t>(x[i] >= 0) << (i % 64);
        }
        signs[word] = bits;
    }
}

float dot_f32_portable(const float* a, const float* b, std::size_t count) {
    float lanes[16] = {};
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (std::size_t lane = 0; lane < 16; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
    float sum = 0;
    for (; i < count; ++i) sum += a[i] * b[i];
    for (float lane : lanes) sum += lane;
    return sum;
}

constexpr Simd kPortable{"portable",       dot_ids_portable,  dot_range_portable,      hamming_portable,
                         at_most_portable, as_query_portable, walsh_hadamard_portable, quantise_portable,
                         dot_f32_portable};

// --- x86-64 ---------------------------------------------------------------------------------------

#if defined(__x86_64__)

#define LUCASTRA_AVX2 __attribute__((target("avx2,fma,popcnt")))
#if defined(__clang__) || __GNUC__ >= 11  // older ones do not know it
#define LUCASTRA_AVXVNNI __attribute__((target("avx2,fma,popcnt,avxvnni")))
#endif
#define LUCASTRA_AVX512 __attribute__((target("avx2,fma,popcnt,avx512f,avx512bw,avx512vl,avx512vnni,avx512vpopcntdq")))

LUCASTRA_AVX2 inline __m256i load_avx2(const std::uint8_t* row) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
}

LUCASTRA_AVX512 inline __m256i halves_added(__m512i x) {
    return _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
}

LUCASTRA_AVX2 inline __m128i sums_of_4(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

// maddubs multiplies unsigned by signed bytes and saturates at 16 bits: |row| <= 127 and |query| <= 127 keep
// 2 * 127 * 127 below that, with the row's sign moved to the query.
LUCASTRA_AVX2 inline __m256i accumulate_avx2(__m256i sum, const std::uint8_t* row, __m256i query) {
    const __m256i offset = _mm256_set1_epi8(static_cast<char>(0x80));
    const __m256i signed_row = _mm256_xor_si256(load_avx2(row), offset);
    const __m256i products = _mm256_maddubs_epi16(_mm256_abs_epi8(signed_row), _mm256_sign_epi8(query, signed_row));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
}

template <std::size_t Fixed>
LUCASTRA_AVX2 inline void dot_4_avx2(const std::int8_t* query, const std::uint8_t* a, const std::uint8_t* b,
                                     const std::uint8_t* c, const std::uint8_t* d, std::size_t bytes,
                                     std::int32_t* out) {
    __m256i sa = _mm256_setzero_si256(), sb = sa, sc = sa, sd = sa;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < (Fixed ? Fixed : bytes); i += 32) {
        const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
        sa = accumulate_avx2(sa, a + i, q);
        sb = accumulate_avx2(sb, b + i, q);
        sc = accumulate_avx2(sc, c + i, q);
        sd = accumulate_avx2(sd, d + i, q);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums_of_4(sa, sb, sc, sd));
}

#ifdef LUCASTRA_AVXVNNI
template <std::size_t Fixed>
LUCASTRA_AVXVNNI inline void dot_4_avxvnni(const std::int8_t* query, const std::uint8_t* a, const std::uint8_t* b,
                                           const std::uint8_t* c, const std::uint8_t* d, std::size_t bytes,
                                           std::int32_t* out) {
    __m256i sa = _mm256_setzero_si256(), sb = sa, sc = sa, sd = sa;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < (Fixed ? Fixed : bytes); i += 32) {
        const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
        sa = _mm256_dpbusd_avx_epi32(sa, load_avx2(a + i), q);
        sb = _mm256_dpbusd_avx_epi32(sb, load_avx2(b + i), q);
        sc = _mm256_dpbusd_avx_epi32(sc, load_avx2(c + i), q);
        sd = _mm256_dpbusd_avx_epi32(sd, load_avx2(d + i), q);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums_of_4(sa, sb, sc, sd));
}
#endif

template <std::size_t Fixed>
LUCASTRA_AVX512 inline void dot_4_avx512(const std::int8_t* query, const std::uint8_t* a, const std::uint8_t* b,
                                         const std::uint8_t* c, const std::uint8_t* d, std::size_t bytes,
                                         std::int32_t* out) {
    __m512i sa = _mm512_setzero_si512(), sb = sa, sc = sa, sd = sa;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < (Fixed ? Fixed : bytes); i += 64) {
        const __m512i q = _mm512_loadu_si512(query + i);
        sa = _mm512_dpbusd_epi32(sa, _mm512_loadu_si512(a + i), q);
        sb = _mm512_dpbusd_epi32(sb, _mm512_loadu_si512(b + i), q);
        sc = _mm512_dpbusd_epi32(sc, _mm512_loadu_si512(c + i), q);
        sd = _mm512_dpbusd_epi32(sd, _mm512_loadu_si512(d + i), q);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     sums_of_4(halves_added(sa), halves_added(sb), halves_added(sc), halves_added(sd)));
}

// The loops around the four-row products, with the usual row lengths known to the compiler. Rows that are left over
// are paired with the last one.
#define LUCASTRA_DOT_LOOPS(LEVEL, TARGET, BIASED)                                                                    \
    template <std::size_t Fixed>                                                                                     \
    TARGET void dot_ids_fixed_##LEVEL(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows,         \
                                      std::size_t length, const std::uint32_t* ids, std::size_t count,               \
                                      std::int32_t* out) {                                                           \
        const std::size_t bytes = Fixed ? Fixed : length;                                                            \
        for (std::size_t i = 0; i < kAhead && i < count; ++i) prefetch_row(rows + ids[i] * bytes, bytes);            \
        for (std::size_t i = 0; i < count; i += 4) {                                                                 \
            std::int32_t four[4];                                                                                    \
            const std::uint8_t* row[4];                                                                              \
            for (std::size_t j = 0; j < 4; ++j) {                                                                    \
                row[j] = rows + ids[i + j < count ? i + j : count - 1] * bytes;                                      \
                if (i + j + kAhead < count) prefetch_row(rows + ids[i + j + kAhead] * bytes, bytes);                 \
            }                                                                                                        \
            dot_4_##LEVEL<Fixed>(query, row[0], row[1], row[2], row[3], bytes, four);                                \
            for (std::size_t j = 0; j < 4 && i + j < count; ++j) out[i + j] = four[j] - ((BIASED) ? bias : 0);       \
        }                                                                                                            \
    }                                                                                                                \
    template <std::size_t Fixed>                                                                                     \
    TARGET void dot_range_fixed_##LEVEL(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows,       \
                                        std::size_t length, std::size_t count, std::int32_t* out) {                  \
        const std::size_t bytes = Fixed ? Fixed : length;                                                            \
        std::size_t i = 0;                                                                                           \
        for (; i + 4 <= count; i += 4) {                                                                             \
            const std::uint8_t* row = rows + i * bytes;                                                              \
            for (std::size_t line = 0; line < 4 * bytes; line += kLine) prefetch(row + kScanAhead + line);           \
            dot_4_##LEVEL<Fixed>(query, row, row + bytes, row + 2 * bytes, row + 3 * bytes, bytes, out + i);         \
            if (BIASED)                                                                                              \
                for (std::size_t j = 0; j < 4; ++j) out[i + j] -= bias;                                              \
        }                                                                                                            \
        for (; i < count; ++i) out[i] = dot_portable(query, rows + i * bytes, bytes);                                \
    }                                                                                                                \
    void dot_ids_##LEVEL(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows, std::size_t bytes,   \
                         const std::uint32_t* ids, std::size_t count, std::int32_t* out) {                           \
        (bytes == 256   ? dot_ids_fixed_##LEVEL<256>                                                                 \
         : bytes == 384 ? dot_ids_fixed_##LEVEL<384>                                                                 \
                        : dot_ids_fixed_##LEVEL<0>)(query, bias, rows, bytes, ids, count, out);                      \
    }                                                                                                                \
    void dot_range_##LEVEL(const std::int8_t* query, std::int32_t bias, const std::uint8_t* rows, std::size_t bytes, \
                           std::size_t count, std::int32_t* out) {                                                   \
        (bytes == 256   ? dot_range_fixed_##LEVEL<256>                                                               \
         : bytes == 384 ? dot_range_fixed_##LEVEL<384>                                                               \
                        : dot_range_fixed_##LEVEL<0>)(query, bias, rows, bytes, count, out);                         \
    }

LUCASTRA_DOT_LOOPS(avx2, LUCASTRA_AVX2, false)
#ifdef LUCASTRA_AVXVNNI
LUCASTRA_DOT_LOOPS(avxvnni, LUCASTRA_AVXVNNI, true)
#endif
LUCASTRA_DOT_LOOPS(avx512, LUCASTRA_AVX512, true)

LUCASTRA_AVX2 void hamming_avx2(const std::uint64_t* query, const std::uint64_t* rows, std::size_t words,
                                std::size_t count, std::uint16_t* out) {
    for (std::size_t i = 0; i < count; ++i, rows += words) {
        std::int64_t bits = 0;
        for (std::size_t w = 0; w < words; ++w) bits += _mm_popcnt_u64(query[w] ^ rows[w]);
        out[i] = static_cast<std::uint16_t>(bits);
    }
}

LUCASTRA_AVX512 void hamming_avx512(const std::uint64_t* query, const std::uint64_t* rows, std::size_t words,
                                    std::size_t count, std::uint16_t* out) {
    std::size_t i = 0;
    if (words == 4) {  // 256 dimensions: eight rows are four registers
        const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query));
        const __m512i q = _mm512_inserti64x4(_mm512_castsi256_si512(half), half, 1);
        const __m512i order = _mm512_set_epi64(13, 9, 12, 8, 5, 1, 4, 0);
        for (; i + 8 <= count; i += 8) {
            const std::uint64_t* at = rows + i * 4;
            const __m512i a = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_loadu_si512(at)));
            const __m512i b = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_loadu_si512(at + 8)));
            const __m512i c = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_loadu_si512(at + 16)));
            const __m512i d = _mm512_popcnt_epi64(_mm512_xor_si512(q, _mm512_loadu_si512(at + 24)));
            // Row 0 is the lower half of a, row 1 its upper one, and so on: the sums of each row's word pairs ...
            const __m512i ab = _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            const __m512i cd = _mm512_add_epi64(_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
            // ... stand as 0 2 0 2 1 3 1 3 in ab and 4 6 4 6 5 7 5 7 in cd: add each row's two, in row order.
            const __m512i low = _mm512_permutex2var_epi64(ab, order, cd);
            const __m512i high = _mm512_permutex2var_epi64(ab, _mm512_add_epi64(order, _mm512_set1_epi64(2)), cd);
            const __m128i bits = _mm512_cvtepi64_epi16(_mm512_add_epi64(low, high));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), bits);
        }
    }
    hamming_avx2(query, rows + i * words, words, count - i, out + i);
}

LUCASTRA_AVX2 std::uint64_t at_most_avx2(const std::uint16_t* values, std::uint16_t limit) {
    const __m256i most = _mm256_set1_epi16(static_cast<short>(limit));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 64; i += 32) {
        const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
        const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i + 16));
        const __m256i packed =
            _mm256_packs_epi16(_mm256_cmpeq_epi16(_mm256_subs_epu16(low, most), _mm256_setzero_si256()),
                               _mm256_cmpeq_epi16(_mm256_subs_epu16(high, most), _mm256_setzero_si256()));
        const __m256i ordered = _mm256_permute4x64_epi64(packed, 0b11'01'10'00);
        bits |= static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(ordered))) << i;
    }
    return bits;
}

LUCASTRA_AVX512 std::uint64_t at_most_avx512(const std::uint16_t* values, std::uint16_t limit) {
    const __m512i most = _mm512_set1_epi16(static_cast<short>(limit));
    const std::uint64_t low = _mm512_cmple_epu16_mask(_mm512_loadu_si512(values), most);
    const std::uint64_t high = _mm512_cmple_epu16_mask(_mm512_loadu_si512(values + 32), most);
    return low | high << 32;
}

LUCASTRA_AVX2 std::int32_t as_query_avx2(const std::uint8_t* row, std::size_t bytes, std::int8_t* query) {
    const __m256i offset = _mm256_set1_epi8(static_cast<char>(0x80));
    __m256i sums = _mm256_setzero_si256();
    for (std::size_t i = 0; i < bytes; i += 32) {
        const __m256i stored = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + i));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(query + i), _mm256_xor_si256(stored, offset));
        sums = _mm256_add_epi64(sums, _mm256_sad_epu8(stored, _mm256_setzero_si256()));
    }
    alignas(32) std::int64_t lanes[4];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sums);
    return static_cast<std::int32_t>(lanes[0] + lanes[1] + lanes[2] + lanes[3]) -
           128 * static_cast<std::int32_t>(bytes);
}

LUCASTRA_AVX2 void walsh_hadamard_avx2(float* x, std::size_t count) {
    for (std::size_t i = 0; i < count; i += 8) {  // the first three stages stay within a register
        __m256 v = _mm256_loadu_ps(x + i);
        __m256 other = _mm256_permute_ps(v, 0b10'11'00'01);
        v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0b10101010);
        other = _mm256_permute_ps(v, 0b01'00'11'10);
        v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0b11001100);
        other = _mm256_permute2f128_ps(v, v, 1);
        v = _mm256_blend_ps(_mm256_add_ps(v, other), _mm256_sub_ps(other, v), 0b11110000);
        _mm256_storeu_ps(x + i, v);
    }
    for (std::size_t half = 8; half < count; half *= 2) {
        for (std::size_t start = 0; start < count; start += 2 * half) {
            for (std::size_t i = start; i < start + half; i += 8) {
                const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + half);
                _mm256_storeu_ps(x + i, _mm256_add_ps(a, b));
                _mm256_storeu_ps(x + i + half, _mm256_sub_ps(a, b));
            }
        }
    }
}

LUCASTRA_AVX2 void quantise_avx2(const float* x, std::size_t count, float scale, std::uint8_t* row,
                                 std::uint64_t* signs) {
    const __m256 unit = _mm256_set1_ps(scale), high = _mm256_set1_ps(kLargest), low = _mm256_set1_ps(-kLargest);
    const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);  // undoes the lanes' interleaving by the packs
    for (std::size_t i = 0; i < count; i += 32) {
        __m256i part[4];
        std::uint64_t bits = 0;
        for (std::size_t j = 0; j < 4; ++j) {
            const __m256 v = _mm256_loadu_ps(x + i + 8 * j);
            const __m256 not_negative = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GE_OQ);
            bits |= static_cast<std::uint64_t>(_mm256_movemask_ps(not_negative)) << (8 * j);
            // Of two operands of which one is NaN, max gives the second.
            const __m256 clipped = _mm256_min_ps(_mm256_max_ps(_mm256_mul_ps(v, unit), low), high);
            part[j] = _mm256_cvtps_epi32(clipped);
        }
        const __m256i packed =
            _mm256_packs_epi16(_mm256_packs_epi32(part[0], part[1]), _mm256_packs_epi32(part[2], part[3]));
        const __m256i ordered = _mm256_permutevar8x32_epi32(packed, order);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(row + i),
                            _mm256_xor_si256(ordered, _mm256_set1_epi8(static_cast<char>(0x80))));
        std::uint64_t& word = signs[i / 64];
        word = i % 64 == 0 ? bits : word | bits << 32;
    }
}

LUCASTRA_AVX2 float dot_f32_avx2(const float* a, const float* b, std::size_t count) {
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
    }
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
    float sum = 0;
    for (; i < count; ++i) sum += a[i] * b[i];
    for (float lane : lanes) sum += lane;
    return sum;
}

LUCASTRA_AVX512 float dot_f32_avx512(const float* a, const float* b, std::size_t count) {
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
    for (; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

constexpr Simd kAvx2{"avx2",        dot_ids_avx2,        dot_range_avx2, hamming_avx2, at_most_avx2,
                     as_query_avx2, walsh_hadamard_avx2, quantise_avx2,  dot_f32_avx2};
constexpr Simd kAvx512{"avx512vnni",  dot_ids_avx512,      dot_range_avx512, hamming_avx512, at_most_avx512,
                       as_query_avx2, walsh_hadamard_avx2, quantise_avx2,    dot_f32_avx512};

#ifdef LUCASTRA_AVXVNNI
constexpr Simd kAvxVnni{"avxvnni",     dot_ids_avxvnni,     dot_range_avxvnni, hamming_avx2, at_most_avx2,
                        as_query_avx2, walsh_hadamard_avx2, quantise_avx2,     dot_f32_avx2};

bool has_avxvnni() {  // GCC 12 has no name for it in __builtin_cpu_supports: CPUID leaf 7, subleaf 1, EAX bit 4
    std::uint32_t eax = 7, ebx = 0, ecx = 1, edx = 0;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (eax & (1u << 4)) != 0;
}
#endif

#endif

// --- 64-bit ARM -----------------------------------------------------------------------------------

#if defined(__aarch64__)

inline std::int32_t dot_neon(const std::int8_t* query, const std::uint8_t* row, std::size_t bytes) {
    const uint8x16_t offset = vdupq_n_u8(0x80);
    int32x4_t sum = vdupq_n_s32(0);
    for (std::size_t i = 0; i < bytes; i += 16) {
        const int8x16_t q = vld1q_s8(query + i);
        const int8x16_t r = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(row + i), offset));
        sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(q), vget_low_s8(r)));
        sum = vpadalq_s16(sum, vmull_high_s8(q, r));
    }
    return vaddvq_s32(sum);
}

void dot_ids_neon(const std::int8_t* query, std::int32_t, const std::uint8_t* rows, std::size_t bytes,
                  const std::uint32_t* ids, std::size_t count, std::int32_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kAhead < count) prefetch_row(rows + ids[i + kAhead] * bytes, bytes);
        out[i] = dot_neon(query, rows + ids[i] * bytes, bytes);
    }
}

void dot_range_neon(const std::int8_t* query, std::int32_t, const std::uint8_t* rows, std::size_t bytes,
                    std::size_t count, std::int32_t* out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = dot_neon(query, rows + i * bytes, bytes);
}

constexpr Simd kNeon{"neon",           dot_ids_neon,      dot_range_neon,          hamming_portable,
                     at_most_portable, as_query_portable, walsh_hadamard_portable, quantise_portable,
                     dot_f32_portable};

#endif

std::vector<const Simd*> find_levels() {
    std::vector<const Simd*> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
        __builtin_cpu_supports("avx512vpopcntdq"))
        found.push_back(&kAvx512);
#ifdef LUCASTRA_AVXVNNI
    if (avx2 && has_avxvnni()) found.push_back(&kAvxVnni);
#endif
    if (avx2) found.push_back(&kAvx2);
#elif defined(__aarch64__)
    found.push_back(&kNeon);
#endif
    found.push_back(&kPortable);
    return found;
}

std::atomic<const Simd*> chosen{nullptr};

}  // namespace

const std::vector<const Simd*>& simd_levels() {
    static const std::vector<const Simd*> levels = find_levels();
    return levels;
}

const Simd& simd() {
    const Simd* level = chosen.load(std::memory_order_relaxed);
    if (level == nullptr) {
        level = simd_levels().front();
        chosen.store(level, std::memory_order_relaxed);
    }
    return *level;
}

bool set_simd(std::string_view name) {
    for (const Simd* level : simd_levels()) {
        if (level->name == name) {
            chosen.store(level, std::memory_order_relaxed);
            return true;
        }
    }
    return false;
}

}  // namespace lucastra
