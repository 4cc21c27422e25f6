#include "crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace weir::kv {

Crc32c& Crc32c::Extend(std::string_view bytes) noexcept {
  constexpr std::size_t kMost = 1 << 30;  // the library counts in int
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kMost);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
    state_ = crc32_iscsi(data, static_cast<int>(size), state_);
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
