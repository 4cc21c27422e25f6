// CRC32C (Castagnoli), in hardware: short inputs by the instruction of SSE4.2, others through
// ISA-L.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::kv {

// A running checksum: Crc32c().Extend(a).Extend(b).Value() is the CRC32C of a followed by b.
class Crc32c {
 public:
  // The checksum of what has this value, to be extended by what follows.
  static Crc32c Of(std::uint32_t value) noexcept {
    Crc32c crc;
    crc.state_ = ~value;
    return crc;
  }
  Crc32c& Extend(std::string_view bytes) noexcept;
  Crc32c& Extend(std::uint32_t value) noexcept;  // as 4 little-endian bytes
  Crc32c& Extend(std::uint64_t value) noexcept;  // as 8 little-endian bytes
  std::uint32_t Value() const noexcept { return ~state_; }

  // A checksum that is to be extended by a number, as 8 little-endian bytes, and then by bytes.
  struct Extension;
  // Extends each `crc`. Faster than one after the other if they have about the same size: an
  // instruction waits for the one before it of its own chain, but not for those of the others.
  static void ExtendEach(std::span<Extension> extensions) noexcept;
  static constexpr std::size_t kAbreast = 4;  // that go side by side

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

struct Crc32c::Extension {
  Crc32c crc;
  std::uint64_t number;
  std::string_view bytes;
};

}  // namespace weir::kv
