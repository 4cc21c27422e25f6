#include "in_flight.h"

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "arithmetic.h"

namespace weir {
namespace {

constexpr std::uint32_t kFill = 0x7fffffff;  // leaves what stands behind the last provider large

// What differs between processors. `Equal` has bit i set where lane i of both is the same; NthBit
// is the place of the n-th, from 0, of the bits that are set.
struct Baseline {
  static std::uint32_t Equal(const I32x8& a, const I32x8& b) noexcept {
    const I32x8 equal = a == b;
#if defined(__SSE2__)
    __m128 halves[2];
    std::memcpy(halves, &equal, sizeof halves);
    return static_cast<std::uint32_t>(_mm_movemask_ps(halves[0]) | _mm_movemask_ps(halves[1]) << 4);
#else
    std::uint32_t bits = 0;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) bits |= (equal[lane] & 1U) << lane;
    return bits;
#endif
  }
  static std::uint32_t Count(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(BitsUpTo(bits) >> 56);
  }
  // Vigna, "Broadword Implementation of Rank/Select Queries", 2008.
  static std::uint32_t NthBit(std::uint64_t bits, std::uint64_t n) noexcept {
    const std::uint64_t up_to = BitsUpTo(bits);
    const std::uint64_t passed = (((n * kOnes | kTops) - up_to) & kTops) >> 7;  // bytes before it
    const std::uint64_t shift = passed * kOnes >> 56 << 3;
    const std::uint64_t rest = n - (((up_to << 8) >> shift) & 0xff);
    return static_cast<std::uint32_t>(shift) + kNth[rest][(bits >> shift) & 0xff];
  }

 private:
  static constexpr std::uint64_t kOnes = 0x0101010101010101;
  static constexpr std::uint64_t kTops = 0x8080808080808080;

  // By byte: how many bits are set in it and the bytes below; all of them in the top byte.
  static constexpr std::uint64_t BitsUpTo(std::uint64_t bits) noexcept {
    bits -= (bits >> 1) & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
    return ((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * kOnes;
  }

  // kNth[n][byte]: which bit is the n-th, from 0, of those set in `byte`.
  static constexpr auto kNth = [] {
    std::array<std::array<std::uint8_t, 256>, 8> nth{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t n = 0;
      for (std::uint8_t bit = 0; bit < 8; ++bit) {
        if ((byte >> bit & 1) != 0) nth[n++][byte] = bit;
      }
    }
    return nth;
  }();
};

#if defined(__x86_64__)
struct Avx2AndBits {
  [[gnu::target("avx2,bmi2,popcnt")]] static std::uint32_t Equal(const I32x8& a,
                                                                 const I32x8& b) noexcept {
    const I32x8 equal = a == b;
    return static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)equal));
  }
  [[gnu::target("avx2,bmi2,popcnt")]] static std::uint32_t Count(std::uint64_t bits) noexcept {
    return static_cast<std::uint32_t>(_mm_popcnt_u64(bits));
  }
  [[gnu::target("avx2,bmi2,popcnt")]] static std::uint32_t NthBit(std::uint64_t bits,
                                                                  std::uint64_t n) noexcept {
    return static_cast<std::uint32_t>(__builtin_ctzll(_pdep_u64(std::uint64_t{1} << n, bits)));
  }
};
#endif

[[gnu::always_inline]] inline void KeepLess(I32x8& least, const I32x8& other) noexcept {
  least = other < least ? other : least;
}

// The smallest lane, in all lanes.
[[gnu::always_inline]] inline void Spread(I32x8& least) noexcept {
  KeepLess(least, __builtin_shufflevector(least, least, 4, 5, 6, 7, 0, 1, 2, 3));
  KeepLess(least, __builtin_shufflevector(least, least, 2, 3, 0, 1, 6, 7, 4, 5));
  KeepLess(least, __builtin_shufflevector(least, least, 1, 0, 3, 2, 5, 4, 7, 6));
}

// One of the scores that equal `least`, of which there is one at least.
template <class Processor>
[[gnu::always_inline]] inline Index OneOf(const I32x8& least, const std::uint32_t* scores,
                                          Index count, std::uint64_t word) noexcept {
  constexpr Index kBits = 64;
  I32x8 each;
  if (count <= kBits) {
    std::uint64_t ties = 0;
    for (Index i = 0; i < count; i += kLanes) {
      std::memcpy(&each, scores + i, sizeof each);
      ties |= std::uint64_t{Processor::Equal(each, least)} << i;
    }
    return Processor::NthBit(ties, MulHigh(word, Processor::Count(ties)));
  }
  std::array<std::uint64_t, kMostCompared / kBits> ties;
  std::array<std::uint64_t, kMostCompared / kBits> before;  // ties in earlier words
  std::uint64_t sum = 0;
  for (Index i = 0; i < ties.size(); ++i) {
    std::uint64_t own = 0;
    for (Index k = 0; k < kBits && i * kBits + k < count; k += kLanes) {
      std::memcpy(&each, scores + i * kBits + k, sizeof each);
      own |= std::uint64_t{Processor::Equal(each, least)} << k;
    }
    ties[i] = own;
    before[i] = sum;
    sum += Processor::Count(own);
  }
  const std::uint64_t rank = MulHigh(word, sum);
  const Index in =
      (rank >= before[1] ? 1U : 0U) + (rank >= before[2] ? 1U : 0U) + (rank >= before[3] ? 1U : 0U);
  return in * kBits + Processor::NthBit(ties[in], rank - before[in]);
}

template <class Processor>
[[gnu::always_inline]] inline Index OneOfTheLeast(const std::uint32_t* scores, Index count,
                                                  std::uint64_t word) noexcept {
  I32x8 least = I32x8{} + static_cast<std::int32_t>(kNeverLeast);
  I32x8 each;
  for (Index i = 0; i < count; i += kLanes) {
    std::memcpy(&each, scores + i, sizeof each);
    KeepLess(least, each);
  }
  Spread(least);
  if (least[0] == static_cast<std::int32_t>(kNeverLeast)) return kNone;
  return OneOf<Processor>(least, scores, count, word);
}

template <class Processor>
[[gnu::always_inline]] inline Index OneOfTheLeastInFlight(const Snapshot& snapshot,
                                                          const float* factors,
                                                          const PickContext& context,
                                                          std::uint64_t word) noexcept {
  alignas(32) std::uint32_t scores[kMostCompared];
  const Index n = snapshot.size();
  const Index count = (n + kLanes - 1) / kLanes * kLanes;
  const std::uint32_t cells = snapshot.cells();
  I32x8 least = I32x8{} + static_cast<std::int32_t>(kNeverLeast);
  for (Index i = 0; i < count; i += kLanes) {
    U32x8 sum;
    LoadCounts(snapshot.row(0) + i, sum);
    for (std::uint32_t cell = 1; cell < cells; ++cell) {
      U32x8 more;
      LoadCounts(snapshot.row(cell) + i, more);
      sum += more;
    }
    I32x8 score = (I32x8)(sum & kFill);
    if (factors != nullptr) {
      F32x8 factor;
      std::memcpy(&factor, factors + i, sizeof factor);
      score = (I32x8)((__builtin_convertvector(score, F32x8) + 1.0F) * factor);
    }
    KeepLess(least, score);
    std::memcpy(scores + i, &score, sizeof score);
  }
  if (!context.excluded.empty()) {
    for (const Index i : context.excluded) {
      if (i < n) scores[i] = kNeverLeast;
    }
    return OneOfTheLeast<Processor>(scores, count, word);
  }
  Spread(least);
  if (least[0] == static_cast<std::int32_t>(kNeverLeast)) return kNone;
  return OneOf<Processor>(least, scores, count, word);
}

[[gnu::always_inline]] inline std::uint32_t SumOfRow(std::uint32_t* row,
                                                     std::size_t length) noexcept {
  U32x8 even{};
  U32x8 odd{};
  for (std::size_t i = 0; i < length; i += 2 * kLanes) {
    U32x8 counts;
    LoadCounts(row + i, counts);
    even += counts;
    LoadCounts(row + i + kLanes, counts);
    odd += counts;
  }
  even += odd;
  std::uint32_t sum = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) sum += even[lane];
  return sum;
}

#if defined(__x86_64__)
[[gnu::target("avx2,bmi2,popcnt")]] Index LeastInFlightAvx2(const Snapshot& snapshot,
                                                            const float* factors,
                                                            const PickContext& context,
                                                            std::uint64_t word) noexcept {
  return OneOfTheLeastInFlight<Avx2AndBits>(snapshot, factors, context, word);
}

[[gnu::target("avx2,bmi2,popcnt")]] Index LeastOfAvx2(const std::uint32_t* scores, Index count,
                                                      std::uint64_t word) noexcept {
  return OneOfTheLeast<Avx2AndBits>(scores, count, word);
}

[[gnu::target("avx2,bmi2,popcnt")]] std::uint32_t SumOfRowAvx2(std::uint32_t* row,
                                                               std::size_t length) noexcept {
  return SumOfRow(row, length);
}
#endif

}  // namespace

Index LeastInFlight(const Snapshot& snapshot, const float* factors, const PickContext& context,
                    std::uint64_t word) noexcept {
#if defined(__x86_64__)
  if (kHasAvx2AndBits) return LeastInFlightAvx2(snapshot, factors, context, word);
#endif
  return OneOfTheLeastInFlight<Baseline>(snapshot, factors, context, word);
}

Index LeastOf(const std::uint32_t* scores, Index count, std::uint64_t word) noexcept {
#if defined(__x86_64__)
  if (kHasAvx2AndBits) return LeastOfAvx2(scores, count, word);
#endif
  return OneOfTheLeast<Baseline>(scores, count, word);
}

Index LeastOfBaseline(const std::uint32_t* scores, Index count, std::uint64_t word) noexcept {
  return OneOfTheLeast<Baseline>(scores, count, word);
}

std::uint32_t CallsInFlight(const Snapshot& snapshot) noexcept {
  const std::size_t length = snapshot.row_length();
  std::uint32_t sum = 0;
  for (std::uint32_t cell = 0; cell < snapshot.cells(); ++cell) {
#if defined(__x86_64__)
    if (kHasAvx2AndBits) {
      sum += SumOfRowAvx2(snapshot.row(cell), length);
      continue;
    }
#endif
    sum += SumOfRow(snapshot.row(cell), length);
  }
  // What stands behind the last provider counts as -1.
  return sum + static_cast<std::uint32_t>(length - snapshot.size()) * snapshot.cells();
}

}  // namespace weir
