// Memory that grows in place, and files that are read through a mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lucastra {

// A range of addresses of which a growing front part is memory: what is in it never moves, so that readers
// need no lock while it grows. Throws std::bad_alloc.
class Reserve {
  public:
    Reserve() = default;
    explicit Reserve(std::size_t capacity_bytes);
    ~Reserve();
    Reserve(Reserve&& other) noexcept;
    Reserve& operator=(Reserve&& other) noexcept;

    // Make the first `bytes` usable; new memory is zero.
    void grow(std::size_t bytes);

    std::byte* data() const { return base_; }
    std::size_t size() const { return size_; }

  private:
    std::byte* base_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

// A growing array of plain values in a Reserve.
template <typename T>
class Growing {
  public:
    Growing() = default;
    explicit Growing(std::size_t capacity) : memory_(capacity * sizeof(T)) {}
    void grow(std::size_t count) { memory_.grow(count * sizeof(T)); }
    T* data() const { return reinterpret_cast<T*>(memory_.data()); }
    std::size_t bytes() const { return memory_.size(); }

  private:
    Reserve memory_;
};

// The first `bytes` of a file, read-only and shared. The file may be shorter and grow later; what is past its end
// must not be touched. Throws std::system_error.
class FileMap {
  public:
    FileMap() = default;
    FileMap(int descriptor, std::size_t bytes, bool random_access);
    ~FileMap();
    FileMap(FileMap&& other) noexcept;
    FileMap& operator=(FileMap&& other) noexcept;

    const std::byte* data() const { return base_; }
    std::size_t size() const { return size_; }
    std::span<const std::byte> bytes() const { return {base_, size_}; }

  private:
    const std::byte* base_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace lucastra
