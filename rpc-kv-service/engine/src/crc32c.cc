#include "crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

unsigned int ExtendByLibrary(std::string_view bytes, std::uint32_t state) noexcept {
  // The library takes no const pointer and counts in int, but does not write.
  return crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data())),
                     static_cast<int>(bytes.size()), state);
}

#if defined(__x86_64__)
// Below this many bytes the library is slower than one instruction for every eight: it works on
// blocks of 256 bytes and prepares for them at every call (16 bytes: 3 ns against 24).
constexpr std::size_t kShort = 256;

const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;

__attribute__((target("sse4.2"))) std::uint32_t ExtendShort(std::string_view bytes,
                                                            std::uint32_t state) noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = state;
  for (; left >= 8; left -= 8, at += 8) {
    wide = __builtin_ia32_crc32di(wide, LoadFixed<std::uint64_t>(at));
  }
  state = static_cast<std::uint32_t>(wide);
  if ((left & 4) != 0) {
    state = __builtin_ia32_crc32si(state, LoadFixed<std::uint32_t>(at));
    at += 4;
  }
  if ((left & 2) != 0) {
    state = __builtin_ia32_crc32hi(state, LoadFixed<std::uint16_t>(at));
    at += 2;
  }
  if ((left & 1) != 0) state = __builtin_ia32_crc32qi(state, LoadFixed<std::uint8_t>(at));
  return state;
}
#else
constexpr std::size_t kShort = 0;
constexpr bool has_sse42 = false;
std::uint32_t ExtendShort(std::string_view bytes, std::uint32_t state) noexcept {
  return ExtendByLibrary(bytes, state);
}
#endif

}  // namespace

Crc32c& Crc32c::Extend(std::string_view bytes) noexcept {
  if (bytes.size() < kShort && has_sse42) {
    state_ = ExtendShort(bytes, state_);
    return *this;
  }
  constexpr std::size_t kMost = 1 << 30;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kMost);
    state_ = ExtendByLibrary(bytes.substr(0, size), state_);
    bytes.remove_prefix(size);
  }
  return *this;
}

Crc32c& Crc32c::Extend(std::uint32_t value) noexcept {
  return Extend(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

Crc32c& Crc32c::Extend(std::uint64_t value) noexcept {
  return Extend(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
}

}  // namespace weir::kv
