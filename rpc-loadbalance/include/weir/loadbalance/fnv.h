// FNV-1a and the avalanche that makes it fit for a ring; all constexpr, all without allocation.
//
// FNV-1a: Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv. Its last bytes reach only
// the low bits of the result, so that labels which differ in a few characters cluster on a ring;
// the avalanche, a bijection, spreads them.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

inline constexpr std::uint32_t kFnvBasis = 0x811c9dc5;
inline constexpr std::uint32_t kFnvPrime = 0x01000193;

// FNV-1a over bytes. `basis` continues an earlier hash: Fnv1a32("ab") == Fnv1a32("b",
// Fnv1a32("a")).
constexpr std::uint32_t Fnv1a32(std::string_view bytes, std::uint32_t basis = kFnvBasis) noexcept {
  for (const char c : bytes) basis = (basis ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return basis;
}

// Mixes every bit into every other; a bijection on 32 bits (unsigned shifts).
constexpr std::uint32_t Avalanche(std::uint32_t h) noexcept {
  h += h << 13;
  h ^= h >> 7;
  h += h << 3;
  h ^= h >> 17;
  h += h << 5;
  return h;
}

// The position of a label on a ring: FNV-1a 32, then the avalanche.
constexpr std::uint32_t FnvPosition(std::string_view label) noexcept {
  return Avalanche(Fnv1a32(label));
}

// The function of `hash=seed`, as it is met in Java services: FNV-1a over the UTF-16 code units of
// UTF-8 `text` in 32-bit two's complement arithmetic, the avalanche with arithmetic (signed) right
// shifts, then the absolute value. As in Java the absolute value of the smallest number is itself,
// the only negative result. Bytes that are not UTF-8 count as U+FFFD, one per maximal part.
std::int32_t SeedHash(std::string_view text) noexcept;

// Seed hashes spread over the whole ring in their own order: a bijection from the results of
// SeedHash that puts the smallest number first.
constexpr std::uint32_t SeedPosition(std::int32_t seed_hash) noexcept {
  return seed_hash < 0 ? 0 : 2 * static_cast<std::uint32_t>(seed_hash) + 1;
}

}  // namespace weir
