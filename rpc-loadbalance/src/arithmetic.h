// Integer arithmetic that turns words into choices without a division.
#pragma once

#include <cstdint>

#include "weir/load_balance.h"

namespace weir {

__extension__ using Wide = unsigned __int128;

// The upper half of a * b. MulHigh(word, n) takes a uniform word to 0..n-1 (multiply-shift; Lemire,
// "Fast Random Integer Generation in an Interval", 2019); the bias is below n / 2^64.
constexpr std::uint64_t MulHigh(std::uint64_t a, std::uint64_t b) noexcept {
  return static_cast<std::uint64_t>(static_cast<Wide>(a) * b >> 64);
}

constexpr Index Below(std::uint64_t word, std::uint64_t n) noexcept {
  return static_cast<Index>(MulHigh(word, n));
}

// A further random word from `word`: the `step`-th output of SplitMix64 (Steele, Lea, Flood, 2014).
constexpr std::uint64_t NextWord(std::uint64_t word, std::uint64_t step) noexcept {
  word += (step + 1) * 0x9e3779b97f4a7c15;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

// Division by a number known in advance (Barrett).
class Divisor {
 public:
  Divisor() = default;
  explicit constexpr Divisor(std::uint64_t n) noexcept  // n > 0
      : n_(n),
        inverse_(n == 1 ? ~std::uint64_t{0} : static_cast<std::uint64_t>((Wide{1} << 64) / n)) {}

  constexpr std::uint64_t value() const noexcept { return n_; }
  constexpr std::uint64_t Quotient(std::uint64_t x) const noexcept {
    const std::uint64_t q = MulHigh(x, inverse_);  // exact, or 1 too small
    return x - q * n_ >= n_ ? q + 1 : q;
  }
  constexpr std::uint64_t Remainder(std::uint64_t x) const noexcept {
    const std::uint64_t r = x - MulHigh(x, inverse_) * n_;
    return r >= n_ ? r - n_ : r;
  }

 private:
  std::uint64_t n_ = 1;
  std::uint64_t inverse_ = ~std::uint64_t{0};
};

}  // namespace weir
