// Scans find what a comparison with every row finds.

#include "rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "graph.hpp"
#include "kernel_case.hpp"
#include "simd.hpp"

namespace lucastra::testing {
namespace {

// --- rows -----------------------------------------------------------------------------------------

void scan_finds_the_nearest_rows() {
    for (const std::size_t dimensions : {1u, 8u, 64u, 65u, 100u, 256u, 300u, 384u}) {
        const Vectors vectors = unit_vectors(1'000, dimensions, dimensions);
        const Vectors queries = unit_vectors(10, dimensions, dimensions + 1);
        const VectorFile file(vectors);
        const auto rows = rows_of(vectors, &file);
        const auto scan = [&](const float* query) { return rows->scan(query, kTop, {}, 0); };
        // In one dimension half of the rows are equally near: any of those are right.
        if (dimensions > 1) CHECK_AT_LEAST(recall(vectors, queries, scan), 0.99);
        const Hits hits = scan(queries[0]);
        CHECK(hits.rows.size() == kTop && best_first(hits));
        for (std::size_t i = 0; i < hits.rows.size(); ++i)
            CHECK(std::abs(hits.scores[i] - vectors.product(hits.rows[i], queries[0])) < 1e-6f);
    }
}

// Without float32 vectors the scan is exact in the codes: the same rows, in the same order, ties by row number.
void scan_without_vectors_is_exact_in_the_codes() {
    for (const std::size_t count : {1u, 5u, 63u, 64u, 65u, 700u}) {
        Vectors vectors = unit_vectors(count, 40, count);
        for (std::size_t i = 0; i + 3 < count; i += 3)  // equal rows, so that there are ties
            std::copy_n(vectors[0], 40, vectors.values.data() + i * 40);
        const auto rows = rows_of(vectors);
        const Vectors queries = unit_vectors(5, 40, 2);
        for (std::size_t i = 0; i <= queries.size(); ++i) {
            const float* vector = i < queries.size() ? queries[i] : vectors[0];
            Query query;
            rows->rotation().prepare(vector, query);
            std::vector<std::int32_t> scores(count);
            const std::size_t bytes = rows->rotation().bytes();
            simd().dot_range(query.codes.data(), query.bias, rows->codes(), bytes, count, scores.data());
            std::vector<std::uint32_t> wanted(count);
            std::iota(wanted.begin(), wanted.end(), 0u);
            std::stable_sort(wanted.begin(), wanted.end(),
                             [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
            for (const std::size_t limit :
                 {std::size_t{0}, std::size_t{1}, kTop, std::size_t{300}, std::size_t{5'000}}) {
                const std::vector<std::uint32_t> best(
                    wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(std::min(limit, count)));
                CHECK(rows->scan(vector, limit, {}, 0).rows == best);
                CHECK(rows->scan_rows(vector, limit, wanted).rows == best);
            }
        }
    }
}

void dead_rows_are_never_found() {
    const Vectors vectors = unit_vectors(500, 48, 1);
    const VectorFile file(vectors);
    const auto rows = rows_of(vectors, &file);
    const Vectors queries = unit_vectors(10, 48, 2);
    std::vector<std::uint32_t> all(vectors.size()), dead;
    std::iota(all.begin(), all.end(), 0u);
    for (const std::uint32_t row : all)
        if (row % 3 != 0) dead.push_back(row);
    CHECK(rows->kill(dead) == dead.size());
    CHECK(rows->kill(dead) == 0);
    CHECK(rows->alive() == all.size() - dead.size());
    const Admits alive = [](std::uint32_t row) { return row % 3 == 0; };
    CHECK(std::all_of(all.begin(), all.end(), [&](std::uint32_t row) { return rows->is_alive(row) == alive(row); }));
    CHECK_AT_LEAST(recall(
                       vectors, queries, [&](const float* q) { return rows->scan(q, kTop, {}, 0); }, alive),
                   0.99);
    CHECK_AT_LEAST(recall(
                       vectors, queries, [&](const float* q) { return rows->scan_rows(q, kTop, all); }, alive),
                   0.99);
    CHECK_AT_LEAST(recall(
                       vectors, queries, [&](const float* q) { return rows->scan(q, kTop, {}, 170); }, alive),
                   0.99);
    CHECK_THROWS(std::out_of_range, rows->kill(std::vector<std::uint32_t>{0, 500}));
    CHECK(rows->is_alive(0));  // nothing was killed by the call that was refused
    rows->kill(all);
    CHECK(rows->alive() == 0);
    CHECK(rows->scan(queries[0], kTop, {}, 0).rows.empty());
    CHECK(rows->scan(queries[0], kTop, {}, 100).rows.empty());
    CHECK(rows->scan_rows(queries[0], kTop, all).rows.empty());
}

void rows_can_be_born_dead() {
    const Vectors vectors = unit_vectors(200, 32, 1);
    Rows rows(32, 200);
    bool alive[200];
    for (std::size_t i = 0; i < 200; ++i) alive[i] = i % 4 == 1;
    rows.append(vectors.values.data(), alive, 200);
    CHECK(rows.size() == 200 && rows.alive() == 50);
    const Hits hits = rows.scan(vectors[0], 200, {}, 0);
    CHECK(hits.rows.size() == 50 && only(hits, [](std::uint32_t row) { return row % 4 == 1; }));
}

void only_eligible_rows_are_found() {
    const Vectors vectors = unit_vectors(1'000, 48, 1);
    const auto rows = rows_of(vectors);
    const std::vector<float> query(vectors[700], vectors[700] + 48);
    for (const std::size_t words : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{40}}) {
        for (const std::uint32_t every : {1u, 2u, 5u, 60u}) {
            // Rows past the end of the bitmap are not eligible; bits past the last row mean nothing.
            const Admits admits = [&](std::uint32_t row) { return row / 64 < words && row % every == 0; };
            const auto bits = bitmap(words, admits);
            const std::size_t wanted = nearest(vectors, query.data(), 1'000, admits).size();
            for (const std::size_t sign_candidates : {0u, 1'000u}) {
                const Hits hits = rows->scan(query.data(), 1'000, Eligible(bits.data(), bits.size()), sign_candidates);
                CHECK(hits.rows.size() == wanted);
                CHECK(only(hits, admits));
            }
        }
    }
}

void scan_rows_compares_only_these() {
    const Vectors vectors = unit_vectors(2'000, 64, 1);
    const VectorFile file(vectors);
    const auto rows = rows_of(vectors, &file);
    const Vectors queries = unit_vectors(10, 64, 2);
    Random random(3);
    std::vector<std::uint32_t> some;
    for (std::uint32_t row = 0; row < 2'000; ++row)
        if (random.below(3) == 0) some.push_back(row);
    const Admits admits = [&](std::uint32_t row) { return std::binary_search(some.begin(), some.end(), row); };
    CHECK_AT_LEAST(recall(
                       vectors, queries, [&](const float* q) { return rows->scan_rows(q, kTop, some); }, admits),
                   0.99);
    CHECK(rows->scan_rows(queries[0], kTop, {}).rows.empty());
    CHECK_THROWS(std::out_of_range, rows->scan_rows(queries[0], kTop, std::vector<std::uint32_t>{1, 2'000}));
}

void sign_prefilter_keeps_the_near_rows() {
    const Vectors vectors = unit_vectors(4'000, 256, 1, 40);
    const Vectors queries = unit_vectors(20, 256, 2, 40);
    const VectorFile file(vectors);
    const auto rows = rows_of(vectors, &file);
    const auto scan = [&](std::size_t candidates) {
        return recall(vectors, queries, [&](const float* q) { return rows->scan(q, kTop, {}, candidates); });
    };
    CHECK_AT_LEAST(scan(400), 0.97);
    CHECK_AT_LEAST(scan(4'000), 0.999);
    CHECK_AT_LEAST(scan(1'000'000), 0.999);  // more than there are: all
    CHECK(rows->scan(queries[0], kTop, {}, 1).rows.size() == kTop);
}

// The prefilter learns its bound from a sample of the rows, which may not have met any that are eligible.
void sign_prefilter_finds_eligible_rows_wherever_they_stand() {
    const Vectors vectors = unit_vectors(40'000, 64, 1);
    const auto rows = rows_of(vectors);
    const Vectors queries = unit_vectors(3, 64, 2);
    for (const std::uint32_t first : {0u, 20'000u, 20'064u, 39'950u}) {
        for (const std::uint32_t count : {50u, 3'000u}) {
            const Admits admits = [&](std::uint32_t row) { return row >= first && row - first < count; };
            const auto bits = bitmap(625, admits);
            const Eligible eligible(bits.data(), bits.size());
            const std::size_t there = std::min<std::size_t>(count, 40'000 - first);
            const auto scan = [&](const float* q) { return rows->scan(q, kTop, eligible, there / 3); };
            CHECK_AT_LEAST(recall(vectors, queries, scan, admits), 0.6);
            CHECK(rows->scan(queries[0], 50, eligible, there).rows.size() == 50);
        }
    }
}

void rows_grow_to_their_capacity_in_place() {
    const Vectors vectors = unit_vectors(3'000, 130, 1);
    Rows rows(130, 3'000);
    CHECK(rows.scan(vectors[0], kTop, {}, 0).rows.empty());
    CHECK(rows.scan(vectors[0], kTop, {}, 50).rows.empty());
    const std::uint8_t* const codes = rows.codes();
    std::size_t at = 0;
    for (const std::size_t count : {1u, 62u, 1u, 1u, 500u, 435u, 1'999u, 1u}) {
        rows.append(vectors[at], nullptr, count);
        at += count;
        CHECK(rows.size() == at && rows.alive() == at);
        CHECK(rows.scan(vectors[at - 1], 1, {}, 0).rows ==
              std::vector<std::uint32_t>{static_cast<std::uint32_t>(at - 1)});
    }
    CHECK(rows.codes() == codes);
    CHECK_THROWS(std::invalid_argument, rows.append(vectors[0], nullptr, 1));
    rows.append(vectors[0], nullptr, 0);
    CHECK(rows.size() == 3'000);
    Rows at_once(130, 3'000);
    at_once.append(vectors.values.data(), nullptr, 3'000);
    CHECK(std::equal(codes, codes + 3'000 * rows.rotation().bytes(), at_once.codes()));
}

void rows_refuse_what_they_cannot_hold() {
    CHECK_THROWS(std::invalid_argument, Rows(0, 10));
    CHECK_THROWS(std::invalid_argument, Rows(Rotation::kMaxDimensions + 1, 10));
    CHECK_THROWS(std::invalid_argument, Rows(8, 0));
    CHECK_THROWS(std::invalid_argument, Rows(8, std::size_t{1} << 40));
    const Vectors vectors = unit_vectors(3, 8, 1);
    const VectorFile file(vectors);
    Rows rows(8, 10);
    CHECK_THROWS(std::invalid_argument, rows.map_vectors(file.descriptor, 12, 28));  // too short for a vector
    CHECK_THROWS(std::invalid_argument, rows.map_vectors(file.descriptor, 13, 44));  // not aligned
    CHECK_THROWS(std::invalid_argument, rows.map_vectors(file.descriptor, 12, std::size_t{1} << 62));  // overflows
    CHECK_THROWS(std::system_error, rows.map_vectors(-1, 12, 44));
}

void odd_vectors_are_harmless() {
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    Vectors vectors = unit_vectors(100, 48, 1);
    std::fill_n(vectors.values.data() + 10 * 48, 48, 0.0f);
    std::fill_n(vectors.values.data() + 11 * 48, 48, kNaN);
    std::fill_n(vectors.values.data() + 12 * 48, 48, kInfinity);
    std::fill_n(vectors.values.data() + 13 * 48, 48, std::numeric_limits<float>::max());
    const VectorFile file(vectors);
    const auto rows = rows_of(vectors, &file);
    Graph graph(rows, 4, 50);
    graph.insert(100);
    for (const float odd : {0.0f, kNaN, kInfinity, -kInfinity, std::numeric_limits<float>::max()}) {
        const std::vector<float> query(48, odd);
        for (const Hits& hits : {rows->scan(query.data(), 100, {}, 0), rows->scan(query.data(), 100, {}, 50),
                                 graph.search(query.data(), 100, 100, {})}) {
            CHECK(best_first(hits));
            CHECK(std::none_of(hits.scores.begin(), hits.scores.end(), [](float s) { return std::isnan(s); }));
        }
        CHECK(rows->scan(query.data(), 100, {}, 0).rows.size() == 100);
    }
    CHECK(rows->scan(vectors[50], 1, {}, 0).rows.size() == 1);
}

}  // namespace

std::vector<Test> rows_tests() {
    return {TEST(scan_finds_the_nearest_rows),
            TEST(scan_without_vectors_is_exact_in_the_codes),
            TEST(dead_rows_are_never_found),
            TEST(rows_can_be_born_dead),
            TEST(only_eligible_rows_are_found),
            TEST(scan_rows_compares_only_these),
            TEST(sign_prefilter_keeps_the_near_rows),
            TEST(sign_prefilter_finds_eligible_rows_wherever_they_stand),
            TEST(rows_grow_to_their_capacity_in_place),
            TEST(rows_refuse_what_they_cannot_hold),
            TEST(odd_vectors_are_harmless)};
}

}  // namespace lucastra::testing
