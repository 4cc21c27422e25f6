// Jump consistent hash (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
// 2014).
#pragma once

#include <cstdint>

namespace weir {

// A bucket from 0 to buckets - 1, buckets > 0. With one bucket more a key either stays or goes to
// the new one.
constexpr std::uint32_t JumpHash(std::uint64_t key, std::uint32_t buckets) noexcept {
  std::uint64_t bucket = 0;
  std::uint64_t next = 0;
  while (next < buckets) {
    bucket = next;
    key = key * 2862933555777941757 + 1;
    next = static_cast<std::uint64_t>(static_cast<double>(bucket + 1) *
                                      (0x1p31 / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::uint32_t>(bucket);
}

}  // namespace weir
