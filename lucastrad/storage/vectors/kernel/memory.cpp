#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace lucastra {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kStep = std::size_t{64} << 10;  // a small workspace must not take huge pages

std::size_t rounded(std::size_t bytes, std::size_t step) {
    return (bytes + step - 1) / step * step;
}

// Once huge pages are taken, memory grows by whole ones: part of one cannot be huge.
std::size_t grown(std::size_t bytes) {
    return rounded(bytes, bytes < kHugePage ? kStep : kHugePage);
}

}  // namespace

Reserve::Reserve(std::size_t capacity_bytes) : capacity_(grown(std::max<std::size_t>(capacity_bytes, 1))) {
    const std::size_t slack = capacity_ < kHugePage ? 0 : kHugePage;
    void* base = mmap(nullptr, capacity_ + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<std::byte*>(base);
    if (slack == 0) return;
    const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(base) % kHugePage) % kHugePage;
    if (before != 0) munmap(base_, before);
    base_ += before;
    if (before != slack) munmap(base_ + capacity_, slack - before);
}

Reserve::~Reserve() {
    if (base_ != nullptr) munmap(base_, capacity_);
}

Reserve::Reserve(Reserve&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), capacity_(other.capacity_), size_(std::exchange(other.size_, 0)) {}

Reserve& Reserve::operator=(Reserve&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(capacity_, other.capacity_);
    std::swap(size_, other.size_);
    return *this;
}

void Reserve::grow(std::size_t bytes) {
    if (bytes <= size_) return;
    if (bytes > capacity_) throw std::bad_alloc();
    const std::size_t size = grown(bytes);
    if (mprotect(base_ + size_, size - size_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (size >= kHugePage) madvise(base_, size, MADV_HUGEPAGE);  // a wish: 3 to 20% faster where it is granted
#endif
    size_ = size;
}

FileMap::FileMap(int descriptor, std::size_t bytes, bool random_access) : size_(bytes) {
    if (bytes == 0) return;
    void* base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (base == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mapping a vector file");
    base_ = static_cast<const std::byte*>(base);
    if (random_access) madvise(base, bytes, MADV_RANDOM);
}

FileMap::~FileMap() {
    if (base_ != nullptr) munmap(const_cast<std::byte*>(base_), size_);
}

FileMap::FileMap(FileMap&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}

FileMap& FileMap::operator=(FileMap&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace lucastra
