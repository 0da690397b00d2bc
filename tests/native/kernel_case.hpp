// What the kernel's tests are written with: checks, vectors to search, files to search them in.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <numbers>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "rows.hpp"

namespace lucastra::testing {

struct Test {
    const char* name;
    void (*run)();
};
#define TEST(NAME) \
    { #NAME, NAME }

std::vector<Test> simd_tests();
std::vector<Test> rows_tests();
std::vector<Test> graph_tests();

inline std::atomic<int> failures{0};

inline void check(bool holds, const char* what, const char* file, int line) {
    if (holds) return;
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    ++failures;
}

inline void check_at_least(double value, double least, const char* what, const char* file, int line) {
    if (value >= least) return;
    std::fprintf(stderr, "%s:%d: %s is %.4f, not at least %.4f\n", file, line, what, value, least);
    ++failures;
}

#define CHECK(...) check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_AT_LEAST(VALUE, LEAST) check_at_least((VALUE), (LEAST), #VALUE, __FILE__, __LINE__)
#define CHECK_THROWS(ERROR, ...)                                           \
    do {                                                                   \
        bool thrown = false;                                               \
        try {                                                              \
            __VA_ARGS__;                                                   \
        } catch (const ERROR&) {                                           \
            thrown = true;                                                 \
        }                                                                  \
        check(thrown, #__VA_ARGS__ " throws " #ERROR, __FILE__, __LINE__); \
    } while (false)

class Random {  // the same numbers with every standard library
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t bits() {  // splitmix64
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t end) { return bits() % end; }
    double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
    float normal() {  // Box and Muller
        return static_cast<float>(std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform()));
    }

  private:
    std::uint64_t state_;
};

// `count` unit vectors side by side.
struct Vectors {
    std::size_t dimensions;
    std::vector<float> values;

    std::size_t size() const { return values.size() / dimensions; }
    const float* operator[](std::size_t i) const { return values.data() + i * dimensions; }
    float product(std::size_t i, const float* other) const {
        double sum = 0;
        for (std::size_t d = 0; d < dimensions; ++d) sum += double{(*this)[i][d]} * double{other[d]};
        return static_cast<float>(sum);
    }
};

inline void normalise(float* vector, std::size_t dimensions) {
    double length = 0;
    for (std::size_t d = 0; d < dimensions; ++d) length += double{vector[d]} * double{vector[d]};
    for (std::size_t d = 0; d < dimensions; ++d) vector[d] = static_cast<float>(vector[d] / std::sqrt(length));
}

// Embeddings are not spread evenly: without `clusters`, every direction is as likely.
inline Vectors unit_vectors(std::size_t count, std::size_t dimensions, std::uint64_t seed, std::size_t clusters = 0) {
    Random centre_random(7), random(seed);
    std::vector<float> centres(clusters * dimensions);
    for (float& component : centres) component = centre_random.normal();
    Vectors vectors{dimensions, std::vector<float>(count * dimensions)};
    for (std::size_t i = 0; i < count; ++i) {
        float* vector = vectors.values.data() + i * dimensions;
        const std::size_t cluster = clusters > 0 ? random.below(clusters) : 0;
        for (std::size_t d = 0; d < dimensions; ++d)
            vector[d] = clusters > 0 ? centres[cluster * dimensions + d] + 0.7f * random.normal() : random.normal();
        normalise(vector, dimensions);
    }
    return vectors;
}

// A folder of the test's own, removed with all that is in it.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "kernel-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string operator/(const char* name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

// Vectors as they lie in an Annoy file: 12 bytes, then the components, for each.
class VectorFile {
  public:
    explicit VectorFile(const Vectors& vectors) : stride(12 + 4 * vectors.dimensions) {
        std::string bytes(vectors.size() * stride, '\0');
        for (std::size_t i = 0; i < vectors.size(); ++i)
            std::memcpy(bytes.data() + i * stride + 12, vectors[i], 4 * vectors.dimensions);
        std::ofstream(folder_ / "vectors", std::ios::binary) << bytes;
        descriptor = ::open((folder_ / "vectors").c_str(), O_RDONLY);
    }
    ~VectorFile() { ::close(descriptor); }
    VectorFile(const VectorFile&) = delete;
    VectorFile& operator=(const VectorFile&) = delete;
    void cut(std::size_t bytes) const { std::filesystem::resize_file(folder_ / "vectors", bytes); }

    const std::size_t offset = 12;
    const std::size_t stride;
    int descriptor;

  private:
    Folder folder_;
};

inline std::string contents(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline std::shared_ptr<Rows> rows_of(const Vectors& vectors, const VectorFile* file = nullptr) {
    auto rows = std::make_shared<Rows>(vectors.dimensions, vectors.size());
    if (file != nullptr) rows->map_vectors(file->descriptor, file->offset, file->stride);
    rows->append(vectors.values.data(), nullptr, vectors.size());
    return rows;
}

using Admits = std::function<bool(std::uint32_t)>;
inline bool any_row(std::uint32_t) {
    return true;
}

// The rows nearest to the query by their true inner products.
inline std::vector<std::uint32_t> nearest(const Vectors& vectors, const float* query, std::size_t limit,
                                          const Admits& admits = any_row) {
    std::vector<std::pair<float, std::uint32_t>> scored;
    for (std::uint32_t row = 0; row < vectors.size(); ++row)
        if (admits(row)) scored.emplace_back(-vectors.product(row, query), row);
    std::sort(scored.begin(), scored.end());
    std::vector<std::uint32_t> rows;
    for (std::size_t i = 0; i < std::min(limit, scored.size()); ++i) rows.push_back(scored[i].second);
    return rows;
}

inline std::vector<std::uint64_t> bitmap(std::size_t words, const Admits& admits) {
    std::vector<std::uint64_t> bits(words);
    for (std::uint32_t row = 0; row < words * 64; ++row)
        if (admits(row)) bits[row / 64] |= std::uint64_t{1} << (row % 64);
    return bits;
}

inline double overlap(const std::vector<std::uint32_t>& found, const std::vector<std::uint32_t>& wanted) {
    const std::set<std::uint32_t> set(found.begin(), found.end());
    const auto met = std::count_if(wanted.begin(), wanted.end(), [&](std::uint32_t row) { return set.contains(row); });
    return wanted.empty() ? 1.0 : static_cast<double>(met) / static_cast<double>(wanted.size());
}

inline bool only(const Hits& hits, const Admits& admits) {
    return std::all_of(hits.rows.begin(), hits.rows.end(), admits);
}

inline bool best_first(const Hits& hits) {
    for (std::size_t i = 1; i < hits.rows.size(); ++i) {
        if (hits.scores[i] > hits.scores[i - 1]) return false;
        if (hits.scores[i] == hits.scores[i - 1] && hits.rows[i] < hits.rows[i - 1]) return false;
    }
    return std::set<std::uint32_t>(hits.rows.begin(), hits.rows.end()).size() == hits.rows.size();
}

constexpr std::size_t kTop = 10;

// The mean share of the true nearest 10 that `search` finds for each of the queries.
inline double recall(const Vectors& vectors, const Vectors& queries, const std::function<Hits(const float*)>& search,
                     const Admits& admits = any_row) {
    double sum = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const Hits hits = search(queries[i]);
        CHECK(only(hits, admits));
        CHECK(best_first(hits));
        sum += overlap(hits.rows, nearest(vectors, queries[i], kTop, admits));
    }
    return sum / static_cast<double>(queries.size());
}

}  // namespace lucastra::testing
