// crc32c.cpp as a processor without the instruction compiles it, under another name, so that both can be compared.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "crc32c.hpp"

#undef __x86_64__
#define lucastra lucastra_portable
#include "crc32c.cpp"  // NOLINT(bugprone-suspicious-include)
