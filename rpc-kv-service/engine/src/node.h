// What leaves and inner nodes of the index have in common, and how their packed bytes are read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::kv {

// Head of every node. Nodes lie in NodeMemory, hold no resources, and never change once they are
// published, but for the child pointers of inner nodes.
struct Node {
  std::uint32_t bytes;  // of its memory
  std::uint16_t count;  // of keys; of children
  std::uint8_t level;   // 0: a leaf
};

// Behind every node lie so many bytes that nothing is kept in, so that the last packed integer can
// be loaded as a whole word.
inline constexpr std::size_t kNodeSlack = 8;

inline std::uint64_t LoadWord(const char* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
// What fits into so many bytes.
inline constexpr std::uint64_t kMostIn[] = {0,
                                            0xff,
                                            0xffff,
                                            0xff'ffff,
                                            0xffff'ffff,
                                            0xff'ffff'ffff,
                                            0xffff'ffff'ffff,
                                            0xff'ffff'ffff'ffff,
                                            ~std::uint64_t{0}};
// The lowest `width` bytes, 0..8.
inline std::uint64_t LowBytes(std::uint64_t word, unsigned width) noexcept {
  return word & kMostIn[width];
}
// Bytes that a number needs; 0 for 0.
inline unsigned PackedWidth(std::uint64_t value) noexcept {
  return (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}

// The first 8 bytes as a number that orders as they do; shorter ones are filled up with zeroes.
inline std::uint64_t HeadOf(const char* from, std::size_t size) noexcept {
  if (size >= 8) return __builtin_bswap64(LoadWord(from));
  std::uint64_t word = 0;
  if (size > 0) std::memcpy(&word, from, size);
  return __builtin_bswap64(word);
}
inline std::uint64_t HeadOf(std::string_view text) noexcept {
  return HeadOf(text.data(), text.size());
}

inline std::uint32_t LoadHalf(const char* from) noexcept {
  std::uint32_t half;
  std::memcpy(&half, from, sizeof half);
  return half;
}
// Like memcmp, which a call for a few bytes would cost more than comparing them.
inline int CompareBytes(const char* a, const char* b, std::size_t size) noexcept {
  const auto order = [](std::uint64_t x, std::uint64_t y) { return x < y ? -1 : x > y ? 1 : 0; };
  const auto at = [=](std::size_t i) {
    return order(__builtin_bswap64(LoadWord(a + i)), __builtin_bswap64(LoadWord(b + i)));
  };
  const auto half_at = [=](std::size_t i) {
    return order(__builtin_bswap32(LoadHalf(a + i)), __builtin_bswap32(LoadHalf(b + i)));
  };
  if (size >= 8) {
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
      if (const int differ = at(i); differ != 0) return differ;
    }
    return i < size ? at(size - 8) : 0;  // some of them again, which are equal
  }
  if (size >= 4) {
    const int differ = half_at(0);
    return differ != 0 ? differ : half_at(size - 4);
  }
  for (std::size_t i = 0; i < size; ++i) {
    const auto x = static_cast<unsigned char>(a[i]);
    const auto y = static_cast<unsigned char>(b[i]);
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

inline std::size_t CommonPrefix(std::string_view a, std::string_view b) noexcept {
  const std::size_t most = a.size() < b.size() ? a.size() : b.size();
  std::size_t i = 0;
  while (i + 8 <= most) {
    const std::uint64_t differ = LoadWord(a.data() + i) ^ LoadWord(b.data() + i);
    if (differ != 0) return i + static_cast<std::size_t>(std::countr_zero(differ)) / 8;
    i += 8;
  }
  while (i < most && a[i] == b[i]) ++i;
  return i;
}

// The shortest text that is above `left` and not above `right`, as a part of `right`.
inline std::string_view Separator(std::string_view left, std::string_view right) noexcept {
  return right.substr(0, CommonPrefix(left, right) + 1);
}

}  // namespace weir::kv
