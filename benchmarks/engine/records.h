// The keys and values that every contestant is given, and the orders in which it is.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

inline constexpr std::size_t kKeyBytes = 16;

// The step of splitmix64 (G. Steele, D. Lea, C. Flood, 2014): a bijection that looks random.
constexpr std::uint64_t Mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// 16 bytes. A value.
class Key {
 public:
  // i as 16 decimal digits: in the order of i.
  static Key Sequential(std::uint64_t i) noexcept {
    Key key;
    for (std::size_t at = kKeyBytes; at > 0; i /= 10) {
      key.bytes_[--at] = static_cast<char>('0' + i % 10);
    }
    return key;
  }
  // 16 random bytes, others for every i.
  static Key Random(std::uint64_t i) noexcept {
    const std::uint64_t words[2] = {Mix(i), Mix(~i)};
    Key key;
    std::memcpy(key.bytes_.data(), words, kKeyBytes);
    return key;
  }
  operator std::string_view() const noexcept {  // NOLINT(google-explicit-constructor): it is one
    return {bytes_.data(), kKeyBytes};
  }

 private:
  std::array<char, kKeyBytes> bytes_;
};

// Values of one size whose bytes no compression makes smaller: pieces of a MiB of noise. Immutable.
class Values {
 public:
  explicit Values(std::size_t size);
  // The value of key i after `version` overwrites.
  std::string_view Of(std::uint64_t i, std::uint64_t version) const noexcept {
    return {noise_.data() + (Mix(i * 8 + version) & (kNoiseBytes - 1)), size_};
  }

 private:
  static constexpr std::size_t kNoiseBytes = 1 << 20;
  const std::size_t size_;
  std::string noise_;
};

// The numbers below `count`, each once, in an order of its own for every `which`. A value.
class Shuffle {
 public:
  Shuffle(std::uint64_t count, std::uint64_t which) noexcept;
  std::uint64_t At(std::uint64_t i) const noexcept { return (first_ + i * step_) % count_; }

 private:
  std::uint64_t count_;
  std::uint64_t first_;
  std::uint64_t step_;  // has no divisor in common with count_
};

// A million draws below `count`, of which 0 is the most frequent: Zipf with 0.99, as in YCSB (J.
// Gray et al., "Quickly generating billion-record synthetic databases", 1994).
std::vector<std::uint32_t> ZipfDraws(std::uint64_t count);

}  // namespace weir::bench
