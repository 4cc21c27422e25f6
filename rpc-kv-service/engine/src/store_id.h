// The identity of a store: 16 random bytes in its MANIFEST and in the header of every segment.
#pragma once

#include <array>
#include <string>

namespace weir::kv {

using StoreId = std::array<char, 16>;

inline std::string ToHex(const StoreId& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : id) {
    text.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return text;
}

}  // namespace weir::kv
