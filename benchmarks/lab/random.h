// Random: the laboratory's own generator, so that a seed means the same with every standard
// library.
#pragma once

#include <cmath>
#include <cstdint>

namespace weir::lab {

// xoshiro256++ (D. Blackman, S. Vigna, 2019), seeded by splitmix64. A value. Generators of one seed
// and different streams are independent for our purposes: what one contestant draws does not shift
// what the others meet.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) noexcept {
    std::uint64_t x = seed * 0x9e3779b97f4a7c15U ^ (stream + 1) * 0xd1342543de82ef95U;
    for (std::uint64_t& word : words_) {
      x += 0x9e3779b97f4a7c15U;
      std::uint64_t z = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      word = z ^ (z >> 31);
    }
  }
  std::uint64_t Next() noexcept {
    const std::uint64_t result = Rotate(words_[0] + words_[3], 23) + words_[0];
    const std::uint64_t t = words_[1] << 17;
    words_[2] ^= words_[0];
    words_[3] ^= words_[1];
    words_[1] ^= words_[2];
    words_[0] ^= words_[3];
    words_[2] ^= t;
    words_[3] = Rotate(words_[3], 45);
    return result;
  }
  // In [0, 1).
  double Uniform() noexcept { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // In [0, n); n > 0.
  std::uint32_t Below(std::uint32_t n) noexcept {
    return static_cast<std::uint32_t>((Next() >> 32) * n >> 32);
  }
  double Exponential(double mean) noexcept { return -mean * std::log(1.0 - Uniform()); }
  // Mean 0, deviation 1 (Box-Muller).
  double Normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
    return radius * std::cos(6.283185307179586 * Uniform());
  }

 private:
  static std::uint64_t Rotate(std::uint64_t x, int by) noexcept {
    return (x << by) | (x >> (64 - by));
  }
  std::uint64_t words_[4];
};

}  // namespace weir::lab
