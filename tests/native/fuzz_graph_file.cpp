// Fuzzes the reader of graph files: whatever a file holds, opening and searching it neither reads outside of it nor
// returns a row that does not exist, that was deleted, or that comes twice.
//
// With Clang's libFuzzer (LUCASTRA_LIBFUZZER), or with any compiler as a program of its own:
//
//     fuzz_graph_file FILE...                       run the inputs in these files
//     fuzz_graph_file --iterations N [--seed S]     run N mutated inputs, the same ones for the same seed
//
// An input is 16 bytes that choose how the file is used, then the file's header, then its sections without the padding
// between them. Checksums, and mostly the offsets and sizes of the sections, are computed here: a mutation that any
// CRC gives away would test nothing but the CRC.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "crc32c.hpp"
#include "graph.hpp"
#include "rows.hpp"
#include "simd.hpp"

using namespace lucastra;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSections = 6;
constexpr std::size_t kLargestFile = std::size_t{1} << 20;

struct Header {  // as in graph_file.cpp
    char magic[8];
    std::uint32_t version;
    std::uint32_t crc;
    std::uint64_t dimensions;
    std::uint64_t rows;
    std::uint64_t m;
    std::uint64_t upper_size;
    std::uint32_t entry_row;
    std::uint32_t entry_level;
    std::uint64_t offsets[kSections];
    std::uint64_t sizes[kSections];
    std::uint32_t crcs[kSections];
};
static_assert(sizeof(Header) == 176);

// How an input's file is used.
struct Use {
    std::uint8_t keep_layout;  // odd: the header's own offsets and sizes stand, however wrong
    std::uint8_t keep_crcs;    // odd: so do the sections' checksums
    std::uint8_t vectors;      // 1: float32 vectors lie beside it, 2: too few of them; else none
    std::uint8_t vector_byte;  // what these are made of: 0xFF gives NaN
    std::uint8_t cut;          // so many bytes are missing at the end
    std::uint8_t level;        // of the instruction sets
    std::uint8_t limit;
    std::uint8_t ef;
    std::uint8_t query;         // 255: NaN
    std::uint8_t killed;        // every so many rows are
    std::uint8_t bitmap_words;  // of the eligible rows
    std::uint8_t bitmap_byte;   // what they are made of
    std::uint8_t stride;        // added to the right one
    std::uint8_t rest[3];
};
static_assert(sizeof(Use) == 16);

constexpr std::size_t kFront = sizeof(Use) + sizeof(Header);

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "fuzz_graph_file: %s\n", what);
    std::abort();
}

std::uint64_t next(std::uint64_t& state) {  // splitmix64
    std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// A file without a name, rewritten for each input.
class Scratch {
  public:
    Scratch() {
        std::string name = "/tmp/fuzz-graph-XXXXXX";
        if (const char* folder = std::getenv("TMPDIR")) name = std::string(folder) + "/fuzz-graph-XXXXXX";
        descriptor_ = ::mkstemp(name.data());
        if (descriptor_ < 0 || ::unlink(name.c_str()) != 0) fail("no temporary file can be made");
    }
    void write(const Bytes& bytes) const {
        if (::ftruncate(descriptor_, 0) != 0) fail("the temporary file cannot be cut");
        for (std::size_t at = 0; at < bytes.size();) {
            const ssize_t written = ::pwrite(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
            if (written <= 0) fail("the temporary file cannot be written");
            at += static_cast<std::size_t>(written);
        }
    }
    int descriptor() const { return descriptor_; }
    std::string path() const { return "/dev/fd/" + std::to_string(descriptor_); }

  private:
    int descriptor_;
};

void lay_out(Header& header) {
    const std::uint64_t bytes = (header.dimensions + 63) / 64 * 64;
    const std::uint64_t sizes[kSections] = {header.rows * 8,           header.rows * bytes,
                                            header.rows * (bytes / 8), header.rows * 2 * header.m * 4,
                                            header.rows * 4,           header.upper_size * 4};
    std::uint64_t end = kPage;
    for (std::size_t i = 0; i < kSections; ++i) {
        header.offsets[i] = end;
        header.sizes[i] = sizes[i];
        end = (end + sizes[i] + kPage - 1) / kPage * kPage;
    }
}

// The file that an input stands for.
Bytes file_of(const Use& use, Header header, const std::uint8_t* payload, std::size_t bytes) {
    if (use.keep_layout % 2 == 0) lay_out(header);
    Bytes file(kPage);
    for (std::size_t i = 0; i < kSections; ++i) {
        const std::uint64_t size = header.sizes[i], offset = header.offsets[i];
        if (size > kLargestFile || offset > kLargestFile) break;  // no such file: what is there is too short
        file.resize(std::max<std::size_t>(file.size(), offset + size));
        const std::size_t taken = std::min<std::size_t>(size, bytes);
        if (taken > 0) std::memcpy(file.data() + offset, payload, taken);
        payload += taken;
        bytes -= taken;
        if (use.keep_crcs % 2 == 0) header.crcs[i] = crc32c(file.data() + offset, size);
    }
    file.resize((file.size() + kPage - 1) / kPage * kPage);
    header.crc = 0;
    header.crc = crc32c(&header, sizeof header);
    std::memcpy(file.data(), &header, sizeof header);
    file.resize(file.size() - std::min<std::size_t>(use.cut, file.size()));
    return file;
}

void check_hits(const Hits& hits, std::size_t limit, const Rows& rows, const std::vector<bool>& killed) {
    if (hits.rows.size() != hits.scores.size() || hits.rows.size() > limit) fail("a search returned too much");
    std::set<std::uint32_t> seen;
    for (std::size_t i = 0; i < hits.rows.size(); ++i) {
        if (hits.rows[i] >= rows.size()) fail("a search returned a row that does not exist");
        if (killed[hits.rows[i]]) fail("a search returned a deleted row");
        if (!seen.insert(hits.rows[i]).second) fail("a search returned a row twice");
        if (std::isnan(hits.scores[i])) fail("a score is not a number");
        if (i > 0 && hits.scores[i] > hits.scores[i - 1]) fail("hits are not ordered by score");
    }
}

void search(const Graph& graph, const Use& use) {
    Rows& rows = *graph.rows();
    std::int64_t sum = 0;
    for (std::size_t row = 0; row < graph.size(); ++row) sum ^= graph.ids()[row];
    volatile std::int64_t used = sum;
    (void)used;
    std::vector<float> query(rows.dimensions());
    std::uint64_t state = use.query;
    for (float& component : query)
        component = use.query == 255 ? std::numeric_limits<float>::quiet_NaN()
                                     : static_cast<float>(static_cast<std::int64_t>(next(state))) * 0x1p-66f;
    std::vector<std::uint64_t> bitmap(use.bitmap_words);
    if (!bitmap.empty()) std::memset(bitmap.data(), use.bitmap_byte, bitmap.size() * 8);
    const Eligible eligible(bitmap.data(), bitmap.size());
    std::vector<std::uint32_t> all(rows.size());
    for (std::size_t row = 0; row < all.size(); ++row) all[row] = static_cast<std::uint32_t>(row);
    std::vector<bool> killed(rows.size());
    for (int round = 0; round < 2; ++round) {
        check_hits(graph.search(query.data(), use.limit, use.ef, {}), use.limit, rows, killed);
        check_hits(rows.scan(query.data(), use.limit, {}, 0), use.limit, rows, killed);
        check_hits(rows.scan(query.data(), use.limit, {}, use.ef), use.limit, rows, killed);
        check_hits(rows.scan_rows(query.data(), use.limit, all), use.limit, rows, killed);
        if (!bitmap.empty()) {
            check_hits(graph.search(query.data(), use.limit, use.ef, eligible), use.limit, rows, killed);
            check_hits(rows.scan(query.data(), use.limit, eligible, use.ef), use.limit, rows, killed);
        }
        if (use.killed == 0) break;
        std::vector<std::uint32_t> dead;
        for (std::size_t row = 0; row < rows.size(); row += use.killed) {
            dead.push_back(static_cast<std::uint32_t>(row));
            killed[row] = true;
        }
        if (rows.kill(dead) != (round == 0 ? dead.size() : 0)) fail("rows were not alive that should be");
        if (rows.alive() != rows.size() - dead.size()) fail("the living are miscounted");
    }
}

int run(const std::uint8_t* data, std::size_t size) {
    static const Scratch graph_file, vectors_file;
    if (size < kFront) return 0;
    Use use;
    Header header;
    std::memcpy(&use, data, sizeof use);
    std::memcpy(&header, data + sizeof use, sizeof header);
    graph_file.write(file_of(use, header, data + kFront, size - kFront));
    const std::size_t offset = 12, vector_bytes = std::min<std::uint64_t>(header.dimensions, 1 << 14) * sizeof(float);
    const std::size_t stride = offset + vector_bytes + use.stride;
    const bool vectors = use.vectors == 1 || use.vectors == 2;
    if (vectors) {
        const std::size_t rows = std::min<std::uint64_t>(header.rows, kLargestFile / stride);
        vectors_file.write(
            Bytes(rows * stride + offset - (use.vectors == 2 ? std::min(rows, stride) : 0), use.vector_byte));
    }
    const std::vector<const Simd*>& levels = simd_levels();
    set_simd(levels[use.level % levels.size()]->name);
    for (const bool verify : {true, false}) {
        try {
            search(*Graph::open(graph_file.path(), vectors ? vectors_file.descriptor() : -1, offset, stride, verify),
                   use);
        } catch (const std::invalid_argument&) {
            continue;  // refused
        }
    }
    return 0;
}

// Three graphs: with upper levels, with rows of two words and vectors, and of one row.
std::vector<Bytes> make_seeds() {
    struct Shape {
        std::size_t dimensions, rows, m;
        Use use;
    };
    const Use plain{0, 0, 0, 0, 0, 0, 5, 16, 1, 3, 1, 0x55, 0, {}};
    const Use with_vectors{0, 0, 1, 0x3D, 0, 0, 10, 40, 2, 2, 2, 0xFE, 0, {}};
    std::vector<Bytes> seeds;
    for (const Shape& shape : {Shape{8, 24, 2, plain}, Shape{70, 90, 4, with_vectors}, Shape{64, 1, 16, plain}}) {
        const auto rows = std::make_shared<Rows>(shape.dimensions, shape.rows);
        std::vector<float> vectors(shape.dimensions * shape.rows);
        std::uint64_t state = shape.rows;
        for (float& component : vectors)
            component = static_cast<float>(static_cast<std::int64_t>(next(state))) * 0x1p-65f;
        rows->append(vectors.data(), nullptr, shape.rows);
        Graph graph(rows, shape.m, 20);
        graph.insert(shape.rows);
        const std::vector<std::int64_t> ids(shape.rows, 7);
        std::string name = "/tmp/fuzz-seed-XXXXXX";
        const int placeholder = ::mkstemp(name.data());  // a free name: `save` itself makes the file
        if (placeholder < 0) fail("no temporary file can be made");
        ::close(placeholder);
        ::unlink(name.c_str());
        graph.save(name, ids.data());
        std::ifstream stream(name, std::ios::binary);
        const Bytes file((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
        ::unlink(name.c_str());
        Header header;
        std::memcpy(&header, file.data(), sizeof header);
        Bytes seed(kFront);
        std::memcpy(seed.data(), &shape.use, sizeof shape.use);
        std::memcpy(seed.data() + sizeof shape.use, &header, sizeof header);
        for (std::size_t i = 0; i < kSections; ++i) {
            const auto start = file.begin() + static_cast<std::ptrdiff_t>(header.offsets[i]);
            seed.insert(seed.end(), start, start + static_cast<std::ptrdiff_t>(header.sizes[i]));
        }
        seeds.push_back(std::move(seed));
    }
    return seeds;
}

const Bytes& seed(std::uint64_t random) {
    static const std::vector<Bytes> seeds = make_seeds();
    return seeds[random % seeds.size()];
}

// One change of an input: in its front half of the time, as most of the decisions hang on that.
void mutate(Bytes& input, std::uint64_t& state) {
    static constexpr std::uint64_t kInteresting[] = {0,
                                                     1,
                                                     2,
                                                     3,
                                                     12,
                                                     31,
                                                     32,
                                                     33,
                                                     63,
                                                     64,
                                                     65,
                                                     255,
                                                     8191,
                                                     8192,
                                                     8193,
                                                     0x7FFFFFFF,
                                                     0x80000000,
                                                     0xFFFFFFFE,
                                                     0xFFFFFFFF,
                                                     std::uint64_t{1} << 30,
                                                     std::uint64_t{1} << 35,
                                                     std::uint64_t{1} << 61,
                                                     std::uint64_t{1} << 63,
                                                     ~std::uint64_t{0}};
    const std::size_t end = next(state) % 2 == 0 ? std::min(kFront, input.size()) : input.size();
    if (end < 8) return;
    const std::size_t at = next(state) % (end - 7);
    const std::uint64_t value = kInteresting[next(state) % std::size(kInteresting)];
    switch (next(state) % 8) {
        case 0:
            input[at] ^= static_cast<std::uint8_t>(1u << next(state) % 8);
            break;
        case 1:
            input[at] = static_cast<std::uint8_t>(next(state));
            break;
        case 2:
            std::memcpy(input.data() + at / 4 * 4, &value, 4);
            break;
        case 3:
            std::memcpy(input.data() + at / 8 * 8, &value, 8);
            break;
        case 4: {  // a number a little larger or smaller
            std::uint32_t number;
            std::memcpy(&number, input.data() + at / 4 * 4, 4);
            number += static_cast<std::uint32_t>(next(state) % 5) - 2;
            std::memcpy(input.data() + at / 4 * 4, &number, 4);
            break;
        }
        case 5: {  // two ranges change places
            const std::size_t other = next(state) % (input.size() - 7);
            const std::size_t most =
                std::min(input.size() - std::max(at, other), std::max(at, other) - std::min(at, other));
            if (most > 0)
                std::swap_ranges(input.begin() + static_cast<std::ptrdiff_t>(at),
                                 input.begin() + static_cast<std::ptrdiff_t>(at + 1 + next(state) % most),
                                 input.begin() + static_cast<std::ptrdiff_t>(other));
            break;
        }
        case 6:
            input.resize(std::max<std::size_t>(kFront, next(state) % (input.size() + 1)));
            break;
        default:
            input.resize(input.size() + next(state) % 512, static_cast<std::uint8_t>(next(state)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return run(data, size);
}

#ifdef LUCASTRA_LIBFUZZER

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int random) {
    std::uint64_t state = random;
    if (size >= kFront && next(state) % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
    Bytes input(data, data + size);
    if (size < kFront) input = seed(next(state));
    mutate(input, state);
    const std::size_t taken = std::min(input.size(), max_size);
    std::memcpy(data, input.data(), taken);
    return taken;
}

#else

int main(int count, char** arguments) {
    std::uint64_t iterations = 0, number = 0;
    std::vector<std::string> files;
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        if ((argument == "--iterations" || argument == "--seed") && i + 1 < count)
            (argument == "--seed" ? number : iterations) = std::strtoull(arguments[++i], nullptr, 10);
        else
            files.push_back(argument);
    }
    for (const std::string& name : files) {
        std::ifstream stream(name, std::ios::binary);
        if (!stream) fail(("cannot read " + name).c_str());
        const Bytes input((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
        run(input.data(), input.size());
    }
    for (std::uint64_t i = 0; i < 3 && iterations > 0; ++i) run(seed(i).data(), seed(i).size());
    for (std::uint64_t i = 0; i < iterations; ++i) {
        std::uint64_t state = number << 32 | i;  // each input can be made again without those before it
        Bytes input = seed(next(state));
        for (std::uint64_t changes = 1 + next(state) % 6; changes > 0; --changes) mutate(input, state);
        run(input.data(), input.size());
    }
    std::printf("%llu inputs\n", static_cast<unsigned long long>(files.size() + iterations));
    return 0;
}

#endif
