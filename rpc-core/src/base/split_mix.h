// SplitMix64: random words from a state of eight bytes. Source: S. Vigna,
// https://prng.di.unimi.it/splitmix64.c.
#pragma once

#include <cstdint>

namespace weir::detail {

// The next word; `state` may begin with anything.
inline std::uint64_t SplitMix64(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace weir::detail
