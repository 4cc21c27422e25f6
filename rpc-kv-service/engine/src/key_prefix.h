// Keys as numbers, so that most comparisons take one instruction.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::kv {

// The first 8 bytes as a big-endian number, zeroes behind the end: if two differ, they are in the
// order of their keys; if not, the keys have to be compared.
inline std::uint64_t KeyPrefix(std::string_view key) noexcept {
  std::uint64_t bytes = 0;
  if (key.size() >= sizeof bytes) {
    std::memcpy(&bytes, key.data(), sizeof bytes);
  } else if (!key.empty()) {
    std::memcpy(&bytes, key.data(), key.size());
  }
  return __builtin_bswap64(bytes);
}

}  // namespace weir::kv
