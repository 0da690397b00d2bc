// A graph, its rows and their ids as one file that is searched where it lies.
//
// A page of header, then sections that each start on a page and carry a CRC-32C. Numbers are little-endian.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "crc32c.hpp"
#include "graph.hpp"

static_assert(std::endian::native == std::endian::little, "graph files are little-endian");

namespace lucastra {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::array<char, 8> kMagic = {'L', 'u', 'c', 'A', 'H', 'N', 'S', 'W'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMaxRows = std::size_t{1} << 30;
constexpr std::size_t kMaxFileLevel = 64;

enum Section : std::size_t { kIds, kCodes, kSigns, kLinks, kUpperStart, kUpperLinks, kSections };
constexpr std::array<const char*, kSections> kNames = {"ids", "codes", "signs", "links", "upper starts", "upper links"};

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t crc;  // of the header, with this field 0
    std::uint64_t dimensions;
    std::uint64_t rows;
    std::uint64_t m;
    std::uint64_t upper_size;
    std::uint32_t entry_row;
    std::uint32_t entry_level;
    std::array<std::uint64_t, kSections> offsets;
    std::array<std::uint64_t, kSections> sizes;
    std::array<std::uint32_t, kSections> crcs;
};
static_assert(sizeof(Header) <= kPage && std::is_trivially_copyable_v<Header>);

std::uint32_t crc_of(Header header) {
    header.crc = 0;
    return crc32c(&header, sizeof header);
}

std::array<std::uint64_t, kSections> sizes_of(const Header& header) {
    const std::uint64_t bytes = (header.dimensions + 63) / 64 * 64;
    return {header.rows * 8, header.rows * bytes,  header.rows * (bytes / 8), header.rows * 2 * header.m * 4,
            header.rows * 4, header.upper_size * 4};
}

class Descriptor {
  public:
    Descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
        if (number_ < 0) throw std::system_error(errno, std::generic_category(), path);
    }
    ~Descriptor() { ::close(number_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number() const { return number_; }

  private:
    int number_;
};

void write_all(int descriptor, const void* data, std::size_t bytes, std::uint64_t offset) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t written = ::pwrite(descriptor, at, bytes, static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw std::system_error(errno, std::generic_category(), "writing a graph file");
        at += written;
        offset += static_cast<std::uint64_t>(written);
        bytes -= static_cast<std::size_t>(written);
    }
}

// Throws unless the header is whole and its sections are where they must be.
Header checked_header(std::span<const std::byte> file) {
    Header header;
    if (file.size() < kPage) throw std::invalid_argument("the graph file has no header");
    std::memcpy(&header, file.data(), sizeof header);
    if (header.magic != kMagic) throw std::invalid_argument("this is no graph file");
    if (header.version != kVersion) throw std::invalid_argument("the graph file has another version");
    if (header.crc != crc_of(header)) throw std::invalid_argument("the graph file's header is damaged");
    const bool plausible = header.rows >= 1 && header.rows <= kMaxRows && header.dimensions >= 1 &&
                           header.dimensions <= Rotation::kMaxDimensions && header.m >= 2 && header.m <= Graph::kMaxM &&
                           header.upper_size <= kMaxRows * Graph::kMaxM && header.entry_row < header.rows &&
                           header.entry_level <= kMaxFileLevel && header.sizes == sizes_of(header);
    if (!plausible) throw std::invalid_argument("the graph file's header contradicts itself");
    std::uint64_t end = kPage;
    for (std::size_t i = 0; i < kSections; ++i) {
        if (header.offsets[i] != end) throw std::invalid_argument("the graph file's header contradicts itself");
        end = (header.offsets[i] + header.sizes[i] + kPage - 1) / kPage * kPage;
    }
    if (file.size() != end) throw std::invalid_argument("the graph file is cut short, or has grown");
    return header;
}

}  // namespace

void Graph::save(const std::string& path, const std::int64_t* ids) const {
    Header header{};
    header.magic = kMagic;
    header.version = kVersion;
    header.dimensions = rows_->dimensions();
    header.rows = size();
    header.m = m_;
    header.upper_size = upper_size_;
    header.entry_row = entry().row;
    header.entry_level = entry().level;
    header.sizes = sizes_of(header);
    if (header.rows == 0 || header.rows != rows_->size())
        throw std::invalid_argument("every row must be linked before a graph is saved");
    const std::array<const void*, kSections> data = {ids,    rows_->codes(), rows_->signs(),
                                                     links_, upper_start_,   upper_links_};
    const Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL);
    std::uint64_t end = kPage;
    for (std::size_t i = 0; i < kSections; ++i) {
        header.offsets[i] = end;
        header.crcs[i] = crc32c(data[i], header.sizes[i]);
        write_all(file.number(), data[i], header.sizes[i], end);
        end = (end + header.sizes[i] + kPage - 1) / kPage * kPage;
    }
    header.crc = crc_of(header);
    write_all(file.number(), &header, sizeof header, 0);
    if (::ftruncate(file.number(), static_cast<off_t>(end)) != 0 || ::fsync(file.number()) != 0)
        throw std::system_error(errno, std::generic_category(), "writing a graph file");
}

std::unique_ptr<Graph> Graph::open(const std::string& path, int vectors, std::size_t offset, std::size_t stride,
                                   bool verify) {
    const Descriptor descriptor(path, O_RDONLY);
    struct stat info {};
    if (::fstat(descriptor.number(), &info) != 0) throw std::system_error(errno, std::generic_category(), path);
    auto file = std::make_shared<FileMap>(descriptor.number(), static_cast<std::size_t>(info.st_size), false);
    const Header header = checked_header(file->bytes());
    const auto section = [&](Section i) { return file->data() + header.offsets[i]; };

    std::unique_ptr<Graph> graph(new Graph);
    graph->rows_ =
        std::make_shared<Rows>(header.dimensions, header.rows, reinterpret_cast<const std::uint8_t*>(section(kCodes)),
                               reinterpret_cast<const std::uint64_t*>(section(kSigns)), file);
    if (vectors >= 0) {
        if (::fstat(vectors, &info) != 0) throw std::system_error(errno, std::generic_category(), path);
        const auto length = static_cast<std::size_t>(info.st_size);
        const std::size_t vector = header.dimensions * sizeof(float);
        if (length < offset || length - offset < vector || stride == 0 ||
            (length - offset - vector) / stride < header.rows - 1)
            throw std::invalid_argument("the file of vectors is cut short");
        graph->rows_->map_vectors(vectors, offset, stride);
    }
    graph->m_ = header.m;
    // Mapped read-only: `insert` refuses, and nothing else writes links.
    const auto words = [&](Section i) { return reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(section(i))); };
    graph->links_ = words(kLinks);
    graph->upper_start_ = words(kUpperStart);
    graph->upper_links_ = words(kUpperLinks);
    graph->upper_capacity_ = graph->upper_size_ = header.upper_size;
    graph->ids_ = reinterpret_cast<const std::int64_t*>(section(kIds));
    graph->size_ = header.rows;
    graph->entry_ = static_cast<std::uint64_t>(header.entry_level) << 32 | header.entry_row;
    graph->file_ = std::move(file);
    if (verify) graph->verify();
    return graph;
}

void Graph::verify() const {
    if (file_ == nullptr) throw std::invalid_argument("only an opened graph can be verified");
    const Header header = checked_header(file_->bytes());
    for (std::size_t i = 0; i < kSections; ++i)
        if (crc32c(file_->data() + header.offsets[i], header.sizes[i]) != header.crcs[i])
            throw std::invalid_argument(std::string("the graph file's ") + kNames[i] + " are damaged");
}

}  // namespace lucastra
