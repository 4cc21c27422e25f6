#include "weir/loadbalance/fnv.h"

namespace weir {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

// Takes one code point off the front of `text`; malformed input gives U+FFFD for each maximal part
// that could have begun a character (Unicode 15, section 3.9, and Java's decoder).
std::uint32_t NextCodePoint(std::string_view& text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  std::size_t length = 1;
  std::uint32_t low = 0x80;  // what the second byte may be
  std::uint32_t high = 0xbf;
  std::uint32_t point = lead;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
    point = lead & 0x1f;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    point = lead & 0x0f;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    point = lead & 0x07;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else if (lead >= 0x80) {
    point = kReplacement;
  }
  std::size_t used = 1;
  for (; used < length; ++used) {
    if (used == text.size() || byte(used) < low || byte(used) > high) {
      point = kReplacement;
      break;
    }
    point = point << 6 | (byte(used) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  text.remove_prefix(used);
  return point;
}

// >> on two's complement numbers, as Java has it.
std::uint32_t ArithmeticShift(std::uint32_t h, int bits) noexcept {
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(h) >> bits);
}

}  // namespace

std::int32_t SeedHash(std::string_view text) noexcept {
  std::uint32_t h = kFnvBasis;
  while (!text.empty()) {
    const std::uint32_t point = NextCodePoint(text);
    if (point < 0x10000) {
      h = (h ^ point) * kFnvPrime;
    } else {
      h = (h ^ (0xd800 + ((point - 0x10000) >> 10))) * kFnvPrime;
      h = (h ^ (0xdc00 + ((point - 0x10000) & 0x3ff))) * kFnvPrime;
    }
  }
  h += h << 13;
  h ^= ArithmeticShift(h, 7);
  h += h << 3;
  h ^= ArithmeticShift(h, 17);
  h += h << 5;
  return static_cast<std::int32_t>(static_cast<std::int32_t>(h) < 0 ? 0U - h : h);
}

}  // namespace weir
