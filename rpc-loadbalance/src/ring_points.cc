#include "ring_points.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <string>

#include "lanes.h"
#include "weights.h"
#include "weir/loadbalance/fnv.h"

namespace weir {
namespace {

// vnodes * weight / unit with a unit that may be a fraction.
struct PointsPerWeight {
  std::uint64_t vnodes;
  std::uint64_t unit;
  std::uint64_t divisor = 1;  // the unit is unit / divisor

  std::uint32_t Of(std::uint32_t weight) const {
    const std::uint64_t rounded = (2 * vnodes * weight * divisor + unit) / (2 * unit);
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(rounded, 1));
  }
};

// The band of RingOptions::unit, in integers, so that every machine finds the same one.
PointsPerWeight FromMean(std::uint64_t vnodes, std::uint64_t sum, std::uint64_t count) {
  PointsPerWeight scale{vnodes, kDefaultWeight};
  while (4 * sum >= 7 * scale.unit * count) scale.unit *= 2;
  while (8 * sum * scale.divisor < 7 * scale.unit * count) scale.divisor *= 2;
  return scale;
}

// "17#" for 17.
std::string LabelPrefix(std::uint32_t number) {
  return std::to_string(number) + "#";
}

// A label begins with its number, so its hash begins alike for all providers; the rest is done for
// 32 labels at once, because a lone FNV waits for its multiplier at every byte.
constexpr std::uint32_t kAtOnce = 4 * kLanes;

[[gnu::always_inline]] inline void ContinueFnv(std::string_view address,
                                               const std::uint32_t* prefixes, std::uint32_t count,
                                               std::uint32_t* positions) noexcept {
  for (std::uint32_t i = 0; i < count; i += kAtOnce) {
    U32x8 hashes[4];
    std::memcpy(hashes, prefixes + i, sizeof hashes);
    for (const char c : address) {
      const std::uint32_t byte = static_cast<unsigned char>(c);
      for (U32x8& h : hashes) h = (h ^ byte) * kFnvPrime;
    }
    for (U32x8& h : hashes) {  // Avalanche
      h += h << 13;
      h ^= h >> 7;
      h += h << 3;
      h ^= h >> 17;
      h += h << 5;
    }
    std::memcpy(positions + i, hashes, sizeof hashes);
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void ContinueFnvAvx2(std::string_view address,
                                             const std::uint32_t* prefixes, std::uint32_t count,
                                             std::uint32_t* positions) noexcept {
  ContinueFnv(address, prefixes, count, positions);
}
#endif

void ContinueFnvAtBest(std::string_view address, const std::uint32_t* prefixes, std::uint32_t count,
                       std::uint32_t* positions) noexcept {
#if defined(__x86_64__)
  if (kHasAvx2) return ContinueFnvAvx2(address, prefixes, count, positions);
#endif
  ContinueFnv(address, prefixes, count, positions);
}

constexpr std::uint32_t kDigitBits = 8;
constexpr std::uint32_t kDigits = 1 << kDigitBits;
constexpr std::uint32_t kTopDigit = 64 - kDigitBits;  // shifts within a PackedPoint
constexpr std::array<std::uint32_t, 3> kLowDigits = {32, 40, 48};

constexpr std::uint32_t Digit(PackedPoint point, std::uint32_t shift) noexcept {
  return static_cast<std::uint32_t>(point >> shift) % kDigits;
}

// Below this many points it is faster to insert each in its place.
constexpr std::size_t kInserted = 32;

void InsertionSort(std::span<PackedPoint> points) noexcept {
  for (std::size_t i = 1; i < points.size(); ++i) {
    const PackedPoint point = points[i];
    std::size_t place = i;
    for (; place > 0 && points[place - 1] >> 32 > point >> 32; --place) {
      points[place] = points[place - 1];
    }
    points[place] = point;
  }
}

// Three passes by the 24 bits below the top digit; the last one writes the result.
void SortShare(std::span<PackedPoint> points, PackedPoint* space, std::uint32_t* positions,
               Index* owners) noexcept {
  if (points.size() <= kInserted) {
    InsertionSort(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      positions[i] = static_cast<std::uint32_t>(points[i] >> 32);
      owners[i] = static_cast<Index>(points[i]);
    }
    return;
  }
  std::array<std::array<std::uint32_t, kDigits>, kLowDigits.size()> next{};
  for (const PackedPoint point : points) {
    for (std::size_t pass = 0; pass < kLowDigits.size(); ++pass) {
      ++next[pass][Digit(point, kLowDigits[pass])];
    }
  }
  for (auto& each : next) std::exclusive_scan(each.begin(), each.end(), each.begin(), 0U);
  for (const PackedPoint point : points) space[next[0][Digit(point, kLowDigits[0])]++] = point;
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[next[1][Digit(space[i], kLowDigits[1])]++] = space[i];
  }
  for (const PackedPoint point : points) {
    const std::uint32_t place = next[2][Digit(point, kLowDigits[2])]++;
    positions[place] = static_cast<std::uint32_t>(point >> 32);
    owners[place] = static_cast<Index>(point);
  }
}

}  // namespace

std::vector<std::uint32_t> VirtualNodes(std::span<const Provider> providers,
                                        const RingOptions& options) {
  std::vector<std::uint32_t> weights = EffectiveWeights(providers);
  const auto count = static_cast<std::uint64_t>(
      std::count_if(weights.begin(), weights.end(), [](std::uint32_t w) { return w > 0; }));
  if (count == 0) return {};
  const PointsPerWeight scale = options.unit > 0 ? PointsPerWeight{options.vnodes, options.unit}
                                                 : FromMean(options.vnodes, Sum(weights), count);
  std::uint32_t last = 0;
  std::uint32_t nodes = 0;  // of the weight `last`
  for (std::uint32_t& weight : weights) {
    if (weight == 0) continue;
    if (weight != last) {
      last = weight;
      nodes = scale.Of(weight);
    }
    weight = nodes;
  }
  return weights;
}

LabelPositions::LabelPositions(RingHash hash, std::uint32_t maximum)
    : hash_(hash), positions_(maximum + kAtOnce) {
  if (hash != RingHash::kFnv) return;
  prefixes_.reserve(maximum + kAtOnce);
  for (std::uint32_t i = 0; i < maximum; ++i) prefixes_.push_back(Fnv1a32(LabelPrefix(i)));
  prefixes_.resize(maximum + kAtOnce);
}

std::span<const std::uint32_t> LabelPositions::Of(std::string_view address, std::uint32_t first,
                                                  std::uint32_t last) {
  if (hash_ == RingHash::kFnv) {
    ContinueFnvAtBest(address, prefixes_.data() + first, last - first, positions_.data());
  } else {
    std::string label;
    for (std::uint32_t i = first; i < last; ++i) {
      label = LabelPrefix(i);
      label += address;
      positions_[i - first] = HashRing::PositionOfKey(hash_, label);
    }
  }
  return {positions_.data(), last - first};
}

void SortPoints(std::span<PackedPoint> points, std::span<PackedPoint> space,
                std::uint32_t* positions, Index* owners) {
  std::array<std::uint32_t, kDigits + 1> begin{};
  for (const PackedPoint point : points) ++begin[Digit(point, kTopDigit) + 1];
  std::inclusive_scan(begin.begin(), begin.end(), begin.begin());
  std::array<std::uint32_t, kDigits + 1> next = begin;
  for (const PackedPoint point : points) space[next[Digit(point, kTopDigit)]++] = point;
  for (std::uint32_t digit = 0; digit < kDigits; ++digit) {
    const std::uint32_t from = begin[digit];
    SortShare(space.subspan(from, begin[digit + 1] - from), points.data() + from, positions + from,
              owners + from);
  }
}

}  // namespace weir
