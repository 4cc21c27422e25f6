// The packed counts of calls in flight that a Snapshot shows (Snapshot::row), looked at many at a
// time.
//
// Other threads write them meanwhile; a look takes each count as it is when its turn comes. The
// vector loads are those that relaxed atomic loads compile to, eight at once; ThreadSanitizer is
// shown atomic ones.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>

#include "lanes.h"
#include "weir/load_balance.h"

namespace weir {

#if defined(__SANITIZE_THREAD__)  // Clang does not define it; only GCC's sanitizer is used here
inline constexpr bool kShowAtomics = true;
#else
inline constexpr bool kShowAtomics = false;
#endif

// The counts of eight providers from `counts` on, 32-byte aligned.
[[gnu::always_inline]] inline void LoadCounts(std::uint32_t* counts, U32x8& loaded) noexcept {
  if constexpr (kShowAtomics) {
    std::uint32_t each[kLanes];
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      each[lane] = std::atomic_ref<std::uint32_t>(counts[lane]).load(std::memory_order_relaxed);
    }
    std::memcpy(&loaded, each, sizeof loaded);
  } else {
    std::memcpy(&loaded, std::assume_aligned<32>(counts), sizeof loaded);
  }
}

// Calls in flight to all providers together.
std::uint32_t CallsInFlight(const Snapshot& snapshot) noexcept;

// The most providers that are compared one by one.
inline constexpr Index kMostCompared = 256;
// A score that is never the least: infinity as a float, more calls than there can be as a number.
inline constexpr std::uint32_t kNeverLeast = 0x7f800000;

// Which provider has the least score, ties at random by `word`; kNone if all are excluded. The
// score is the number of calls in flight, or (number + 1) * factor, an infinite factor meaning
// never. `factors`: null, or one for each provider, filled up with infinity to a multiple of eight.
// The snapshot has at most kMostCompared providers.
Index LeastInFlight(const Snapshot& snapshot, const float* factors, const PickContext& context,
                    std::uint64_t word) noexcept;

// Where the least of `scores` is, ties at random by `word`; kNone if it is kNeverLeast or more.
// `count` is a multiple of eight up to kMostCompared; no score has its top bit set.
Index LeastOf(const std::uint32_t* scores, Index count, std::uint64_t word) noexcept;

// The same as a processor without AVX2 does it.
Index LeastOfBaseline(const std::uint32_t* scores, Index count, std::uint64_t word) noexcept;

inline std::uint32_t Score(std::uint32_t in_flight, float factor) noexcept {
  return std::bit_cast<std::uint32_t>((static_cast<float>(in_flight) + 1.0F) * factor);
}

}  // namespace weir
