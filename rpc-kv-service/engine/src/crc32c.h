// CRC32C (Castagnoli), in hardware: short inputs by the instruction of SSE4.2, others through
// ISA-L.
#pragma once

#include <cstdint>
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

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

}  // namespace weir::kv
