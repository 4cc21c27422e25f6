// Little-endian integers and varints, as all files of the store use them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::kv {

static_assert(std::endian::native == std::endian::little, "the formats are copied as they lie");

inline constexpr std::size_t kMaxVarint32 = 5;
inline constexpr std::size_t kMaxVarint64 = 10;

template <class T>
void StoreFixed(char* to, T value) noexcept {
  std::memcpy(to, &value, sizeof value);
}
template <class T>
T LoadFixed(const char* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void AppendFixed(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

constexpr std::size_t VarintSize(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}
// Returns the position behind the last byte written.
inline char* StoreVarint(char* to, std::uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}
// Takes a varint of at most `max_size` bytes off the front. False if there is none, or if it is
// not in its shortest form (so that every number has one encoding).
inline bool TakeVarint(std::string_view& from, std::size_t max_size,
                       std::uint64_t& value) noexcept {
  if (!from.empty() && static_cast<std::uint8_t>(from.front()) < 0x80) [[likely]] {
    value = static_cast<std::uint8_t>(from.front());
    from.remove_prefix(1);
    return true;
  }
  value = 0;
  for (std::size_t i = 0; i < max_size && i < from.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(from[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (byte == 0 && i > 0) return false;
      from.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}
template <class T>
bool TakeFixed(std::string_view& from, T& value) noexcept {
  if (from.size() < sizeof value) return false;
  value = LoadFixed<T>(from.data());
  from.remove_prefix(sizeof value);
  return true;
}

}  // namespace weir::kv
