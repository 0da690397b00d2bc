// Graphs find nearly all that a scan finds, survive being saved and opened, and are searched while they grow.

#include "graph.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "kernel_case.hpp"
#include "rows.hpp"

namespace lucastra::testing {
namespace {

// --- graphs ---------------------------------------------------------------------------------------

constexpr std::size_t kDimensions = 96;

// One graph that several tests search: building it is most of the time that they take.
struct Case {
    Vectors vectors = unit_vectors(3'000, kDimensions, 1, 60);
    Vectors queries = unit_vectors(40, kDimensions, 2, 60);
    VectorFile file{vectors};
    std::shared_ptr<Rows> rows = rows_of(vectors, &file);
    Graph graph{rows, 12, 80};

    Case() { graph.insert(vectors.size()); }

    double recall_of(const Graph& searched, std::size_t ef, const Admits& admits = any_row,
                     Eligible eligible = {}) const {
        const auto search = [&](const float* query) { return searched.search(query, kTop, ef, eligible); };
        return recall(vectors, queries, search, admits);
    }

    // The graph as it was before any row was killed.
    std::unique_ptr<Graph> reopened() const {
        const Folder folder;
        std::vector<std::int64_t> ids(vectors.size());
        std::iota(ids.begin(), ids.end(), std::int64_t{100});
        graph.save(folder / "graph", ids.data());
        return Graph::open(folder / "graph", file.descriptor, file.offset, file.stride, true);
    }
};

const Case& shared_case() {
    static const Case shared;
    return shared;
}

std::vector<std::uint32_t> drawn_dead(std::size_t rows, std::size_t percent) {
    Random random(percent);
    std::vector<std::uint32_t> dead;
    for (std::uint32_t row = 0; row < rows; ++row)
        if (random.below(100) < percent) dead.push_back(row);
    return dead;
}

void graph_search_finds_the_nearest_rows() {
    const Case& built = shared_case();
    CHECK(built.graph.size() == built.vectors.size());
    CHECK_AT_LEAST(built.recall_of(built.graph, 100), 0.95);
    CHECK_AT_LEAST(built.recall_of(built.graph, 400), 0.99);
    const Hits hits = built.graph.search(built.queries[0], kTop, 100, {});
    for (std::size_t i = 0; i < hits.rows.size(); ++i)
        CHECK(std::abs(hits.scores[i] - built.vectors.product(hits.rows[i], built.queries[0])) < 1e-6f);
}

void tombstones_cost_little_recall() {
    const Case& built = shared_case();
    const double whole = built.recall_of(built.graph, 100);
    for (const auto& [percent, loss] : {std::pair<std::size_t, double>{50, 0.01}, {91, 0.05}}) {
        const auto graph = built.reopened();
        const auto dead = drawn_dead(built.vectors.size(), percent);
        graph->rows()->kill(dead);
        const Admits alive = [&](std::uint32_t row) { return !std::binary_search(dead.begin(), dead.end(), row); };
        CHECK_AT_LEAST(built.recall_of(*graph, 100, alive), whole - loss);
    }
}

void filtered_search_finds_the_nearest_eligible_rows() {
    const Case& built = shared_case();
    for (const std::uint32_t every : {2u, 10u}) {
        const Admits admits = [&](std::uint32_t row) { return row % every == 1 && row < 2'944; };
        const auto bits = bitmap(2'944 / 64, admits);  // shorter than the rows
        CHECK_AT_LEAST(built.recall_of(built.graph, 100, admits, Eligible(bits.data(), bits.size())), 0.95);
    }
    CHECK(built.graph.search(built.queries[0], kTop, 100, Eligible(nullptr, 0)).rows.empty());
    const std::vector<std::uint64_t> none(47);
    CHECK(built.graph.search(built.queries[0], kTop, 100, Eligible(none.data(), none.size())).rows.empty());
}

// Rows that are appended but not linked yet must not be counted against those that are linked and dead.
void dead_rows_stay_hidden_while_others_wait_to_be_linked() {
    const Vectors vectors = unit_vectors(300, 48, 1);
    const auto rows = rows_of(vectors);
    Graph graph(rows, 8, 60);
    graph.insert(100);
    rows->kill(std::vector<std::uint32_t>{3, 50});
    const Hits hits = graph.search(vectors[3], 100, 100, {});
    CHECK(hits.rows.size() == 98);
    CHECK(only(hits, [](std::uint32_t row) { return row != 3 && row != 50 && row < 100; }));
    const Admits admits = [](std::uint32_t row) { return row % 2 == 1; };
    const auto bits = bitmap(5, admits);
    const Hits eligible = graph.search(vectors[4], 100, 100, Eligible(bits.data(), bits.size()));
    CHECK(only(eligible, [&](std::uint32_t row) { return admits(row) && row != 3 && row < 100; }));
    const Admits unlinked = [](std::uint32_t row) { return row >= 100; };
    const auto later = bitmap(5, unlinked);
    CHECK(graph.search(vectors[4], 100, 100, Eligible(later.data(), later.size())).rows.empty());
}

void search_takes_any_limit_and_width() {
    const Case& built = shared_case();
    constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
    const float* query = built.queries[0];
    for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{50}}) {
        for (const std::size_t ef : {std::size_t{0}, std::size_t{1}, kMost / 8, kMost})
            CHECK(built.graph.search(query, limit, ef, {}).rows.size() == limit);
        CHECK(built.rows->scan(query, limit, {}, kMost).rows.size() == limit);
    }
    for (const std::size_t limit : {built.vectors.size() + 1, kMost / 8, kMost / 2 - 7, kMost}) {
        CHECK(built.rows->scan(query, limit, {}, 0).rows.size() == built.vectors.size());
        CHECK(built.rows->scan(query, limit, {}, 7).rows.size() == built.vectors.size());
        CHECK(built.graph.search(query, limit, 1, {}).rows.size() > built.vectors.size() * 99 / 100);
    }
}

void equal_rows_do_not_cut_the_graph_apart() {
    Vectors vectors = unit_vectors(2'000, kDimensions, 1, 20);
    const Admits copy = [](std::uint32_t row) { return row % 4 == 0; };
    for (std::uint32_t row = 0; row < 2'000; ++row)
        if (copy(row)) std::copy_n(vectors[0], kDimensions, vectors.values.data() + row * kDimensions);
    const VectorFile file(vectors);
    Graph graph(rows_of(vectors, &file), 16, 200);
    graph.insert(2'000);
    const Vectors queries = unit_vectors(30, kDimensions, 2, 20);
    double near = 0;  // by score: any of the equal rows is as good as another
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const Hits hits = graph.search(queries[i], kTop, 100, {});
        const auto wanted = nearest(vectors, queries[i], kTop);
        const float worst = vectors.product(wanted.back(), queries[i]) - 1e-6f;
        near += static_cast<double>(
            std::count_if(hits.scores.begin(), hits.scores.end(), [&](float s) { return s >= worst; }));
    }
    CHECK_AT_LEAST(near / static_cast<double>(kTop * queries.size()), 0.95);
}

void the_same_rows_give_the_same_file() {
    const Vectors vectors = unit_vectors(600, 48, 1, 10);
    const std::vector<std::int64_t> ids(vectors.size(), 1);
    const Folder folder;
    Graph at_once(rows_of(vectors), 6, 40);
    at_once.insert(600);
    at_once.save(folder / "one", ids.data());
    const auto rows = std::make_shared<Rows>(48, 5'000);
    Graph in_slices(rows, 6, 40);
    for (std::size_t at = 0; at < 600; at += 100) {
        rows->append(vectors[at], nullptr, 100);
        in_slices.insert(60);
        in_slices.insert(40);
    }
    rows->kill(std::vector<std::uint32_t>{1, 2, 3});  // which rows are dead is not the file's to say
    in_slices.save(folder / "two", ids.data());
    CHECK(contents(folder / "one") == contents(folder / "two"));
    Graph::open(folder / "one", -1, 0, 0, true)->save(folder / "three", ids.data());
    CHECK(contents(folder / "one") == contents(folder / "three"));
}

void an_opened_graph_answers_as_the_one_that_was_saved() {
    const Case& built = shared_case();
    const Folder folder;
    std::vector<std::int64_t> ids(built.vectors.size());
    std::iota(ids.begin(), ids.end(), std::int64_t{1} << 40);
    built.graph.save(folder / "graph", ids.data());
    for (const bool verify : {false, true}) {
        const auto opened = Graph::open(folder / "graph", built.file.descriptor, 12, built.file.stride, verify);
        opened->verify();
        CHECK(opened->size() == built.vectors.size() && opened->rows()->alive() == built.vectors.size());
        CHECK(std::equal(ids.begin(), ids.end(), opened->ids()));
        for (std::size_t i = 0; i < built.queries.size(); ++i) {
            const Hits hits = opened->search(built.queries[i], kTop, 50, {});
            const Hits wanted = built.graph.search(built.queries[i], kTop, 50, {});
            CHECK(hits.rows == wanted.rows && hits.scores == wanted.scores);
            CHECK(opened->rows()->scan(built.queries[i], kTop, {}, 500).rows ==
                  built.rows->scan(built.queries[i], kTop, {}, 500).rows);
        }
        CHECK_THROWS(std::invalid_argument, opened->insert(1));
        CHECK_THROWS(std::invalid_argument, opened->rows()->append(built.vectors[0], nullptr, 1));
    }
    const auto rows = Graph::open(folder / "graph", -1, 0, 0, true)->rows();  // outlives its graph
    CHECK(!rows->has_vectors());
    CHECK(rows->scan(built.vectors[5], 1, {}, 0).rows == std::vector<std::uint32_t>{5});
}

void damaged_and_foreign_files_are_refused() {
    const Vectors vectors = unit_vectors(100, 48, 1);
    const std::vector<std::int64_t> ids(100);
    const Folder folder;
    const VectorFile file(vectors);
    Graph graph(rows_of(vectors), 4, 40);
    CHECK_THROWS(std::invalid_argument, graph.save(folder / "empty", ids.data()));
    graph.insert(50);
    CHECK_THROWS(std::invalid_argument, graph.save(folder / "half", ids.data()));
    CHECK_THROWS(std::invalid_argument, graph.insert(51));
    graph.insert(50);
    CHECK_THROWS(std::invalid_argument, graph.verify());
    graph.save(folder / "graph", ids.data());
    CHECK_THROWS(std::system_error, graph.save(folder / "graph", ids.data()));  // never over another file
    CHECK_THROWS(std::system_error, Graph::open(folder / "none", -1, 0, 0, false));
    CHECK_THROWS(std::system_error, Graph::open(folder / ".", -1, 0, 0, false));
    const std::string whole = contents(folder / "graph");
    const auto write = [&](const std::string& bytes) { std::ofstream(folder / "bad", std::ios::binary) << bytes; };
    for (const std::size_t length :
         {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{4096}, whole.size() - 1}) {
        write(whole.substr(0, length));
        CHECK_THROWS(std::invalid_argument, Graph::open(folder / "bad", -1, 0, 0, false));
    }
    write(whole + '\0');
    CHECK_THROWS(std::invalid_argument, Graph::open(folder / "bad", -1, 0, 0, false));
    constexpr std::size_t kHeader = 176;
    for (std::size_t at = 0; at < kHeader; ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        write(bytes);
        CHECK_THROWS(std::invalid_argument, Graph::open(folder / "bad", -1, 0, 0, false));
    }
    for (std::size_t at = 4096; at < whole.size(); at += 4096) {  // the first byte of every section and page
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 1);
        write(bytes);
        CHECK_THROWS(std::invalid_argument, Graph::open(folder / "bad", -1, 0, 0, true));
    }
    CHECK(Graph::open(folder / "graph", file.descriptor, file.offset, file.stride, true)->rows()->has_vectors());
    CHECK_THROWS(std::invalid_argument, Graph::open(folder / "graph", file.descriptor, 12, 12, true));
    CHECK_THROWS(std::invalid_argument,
                 Graph::open(folder / "graph", file.descriptor, std::size_t{1} << 40, 204, true));
    CHECK_THROWS(std::system_error, Graph::open(folder / "graph", 9'999, 12, 204, true));
    file.cut(100 * file.stride - 4);
    CHECK_THROWS(std::invalid_argument, Graph::open(folder / "graph", file.descriptor, file.offset, file.stride, true));
}

void graphs_refuse_what_they_cannot_be() {
    const auto rows = std::make_shared<Rows>(8, 10);
    for (const std::size_t m : {0u, 1u, 129u}) CHECK_THROWS(std::invalid_argument, Graph(rows, m, 100));
    for (const std::size_t ef : {0u, 4097u}) CHECK_THROWS(std::invalid_argument, Graph(rows, 8, ef));
    const Graph graph(rows, 8, 100);
    const std::vector<float> query(8);
    CHECK(graph.search(query.data(), kTop, 100, {}).rows.empty());
}

// --- one writer beside many searchers -------------------------------------------------------------

void searches_run_beside_one_writer() {
    constexpr std::size_t kRows = 1'500, kSlice = 50;
    const Vectors vectors = unit_vectors(kRows, 64, 1, 20);
    const Vectors queries = unit_vectors(16, 64, 2, 20);
    const VectorFile file(vectors);
    const auto rows = std::make_shared<Rows>(64, kRows);
    rows->map_vectors(file.descriptor, file.offset, file.stride);
    Graph graph(rows, 8, 40);
    const auto bits = bitmap(kRows / 64, [](std::uint32_t row) { return row % 2 == 0; });
    const Eligible eligible(bits.data(), bits.size());
    std::vector<std::uint32_t> some(kSlice);
    std::iota(some.begin(), some.end(), 0u);
    std::atomic<bool> written{false};
    std::atomic<std::size_t> dead_below{0};  // rows under this one whose number ends in 7 are dead
    const auto search = [&](std::size_t first) {
        for (std::size_t i = first; !written.load(); ++i) {
            const float* query = queries[i % queries.size()];
            const std::size_t dead = dead_below.load();
            const Admits may_live = [&](std::uint32_t row) { return row % 10 != 7 || row >= dead; };
            const Admits may_match = [&](std::uint32_t row) { return may_live(row) && row % 2 == 0; };
            CHECK(only(graph.search(query, kTop, 40, {}), may_live));
            CHECK(only(graph.search(query, kTop, 40, eligible), may_match));
            CHECK(only(rows->scan(query, kTop, {}, 0), may_live));
            CHECK(only(rows->scan(query, kTop, eligible, 100), may_match));
            if (rows->size() >= kSlice) CHECK(only(rows->scan_rows(query, kTop, some), may_live));
            CHECK(rows->alive() <= rows->size());
            CHECK(rows->memory_bytes() < std::size_t{1} << 30);
        }
    };
    std::vector<std::thread> searchers;
    for (std::size_t i = 0; i < 3; ++i) searchers.emplace_back(search, i);
    for (std::size_t at = 0; at < kRows; at += kSlice) {
        rows->append(vectors[at], nullptr, kSlice);
        graph.insert(kSlice / 2);
        std::vector<std::uint32_t> dead;
        for (std::size_t row = at; row < at + kSlice; ++row)
            if (row % 10 == 7) dead.push_back(static_cast<std::uint32_t>(row));
        rows->kill(dead);
        dead_below = at + kSlice;
        graph.insert(kSlice / 2);
    }
    written = true;
    for (std::thread& searcher : searchers) searcher.join();
    CHECK(graph.size() == kRows && rows->alive() == kRows - kRows / 10);
    const Admits alive = [](std::uint32_t row) { return row % 10 != 7; };
    const auto found = [&](const float* query) { return graph.search(query, kTop, 100, {}); };
    CHECK_AT_LEAST(recall(vectors, queries, found, alive), 0.95);
}

void opened_graphs_are_searched_while_rows_die() {
    const Case& built = shared_case();
    const auto graph = built.reopened();
    std::atomic<std::uint32_t> dead_below{0};
    const auto search = [&] {
        for (std::uint32_t dead = 0; dead < 1'500; dead = dead_below.load()) {
            const float* query = built.queries[dead % built.queries.size()];
            const Admits alive = [dead](std::uint32_t row) { return row >= dead; };
            CHECK(only(graph->search(query, kTop, 60, {}), alive));
            CHECK(only(graph->rows()->scan(query, kTop, {}, 200), alive));
        }
    };
    std::vector<std::thread> searchers;
    for (std::size_t i = 0; i < 3; ++i) searchers.emplace_back(search);
    for (std::uint32_t row = 0; row < 1'500; ++row) {
        graph->rows()->kill(std::vector<std::uint32_t>{row});
        dead_below = row + 1;
    }
    for (std::thread& searcher : searchers) searcher.join();
    CHECK(graph->rows()->alive() == built.vectors.size() - 1'500);
}

}  // namespace

std::vector<Test> graph_tests() {
    return {TEST(graph_search_finds_the_nearest_rows),
            TEST(tombstones_cost_little_recall),
            TEST(filtered_search_finds_the_nearest_eligible_rows),
            TEST(dead_rows_stay_hidden_while_others_wait_to_be_linked),
            TEST(search_takes_any_limit_and_width),
            TEST(equal_rows_do_not_cut_the_graph_apart),
            TEST(the_same_rows_give_the_same_file),
            TEST(an_opened_graph_answers_as_the_one_that_was_saved),
            TEST(damaged_and_foreign_files_are_refused),
            TEST(graphs_refuse_what_they_cannot_be),
            TEST(searches_run_beside_one_writer),
            TEST(opened_graphs_are_searched_while_rows_die)};
}

}  // namespace lucastra::testing
