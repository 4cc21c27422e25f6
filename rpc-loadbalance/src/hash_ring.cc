#include "weir/loadbalance/hash_ring.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

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

std::uint32_t UpperHalf(std::uint64_t hash) noexcept {
  return static_cast<std::uint32_t>(hash >> 32);
}

// "17#" for 17.
std::string LabelPrefix(std::uint32_t number) {
  return std::to_string(number) + "#";
}

}  // namespace

HashRing::HashRing(std::span<const Provider> providers, RingOptions options)
    : options_(options), providers_(static_cast<std::uint32_t>(providers.size())) {
  const std::vector<std::uint32_t> weights = EffectiveWeights(providers);
  const auto count = static_cast<std::uint64_t>(
      std::count_if(weights.begin(), weights.end(), [](std::uint32_t w) { return w > 0; }));
  if (count == 0) return;
  const PointsPerWeight scale = options.unit > 0 ? PointsPerWeight{options.vnodes, options.unit}
                                                 : FromMean(options.vnodes, Sum(weights), count);
  std::vector<Index> by_address(providers.size());
  std::iota(by_address.begin(), by_address.end(), Index{0});
  std::sort(by_address.begin(), by_address.end(),
            [&](Index a, Index b) { return providers[a].address < providers[b].address; });
  std::vector<std::uint32_t> counts;
  std::size_t total = 1;  // the sentinel
  for (const std::uint32_t weight : weights) {
    total += counts.emplace_back(weight > 0 ? scale.Of(weight) : 0);
  }
  points_.reserve(total);
  if (options.hash == RingHash::kFnv) {
    AddFnvPoints(providers, by_address, counts);
  } else {
    AddLabelledPoints(providers, by_address, counts);
  }
  SortPoints();
  points_.push_back({~std::uint32_t{0}, points_.front().owner});
  IndexPoints();
}

std::uint32_t HashRing::PositionOfKey(RingHash hash, std::string_view key) noexcept {
  switch (hash) {
    case RingHash::kXxh64:
      return UpperHalf(XXH64(key.data(), key.size(), 0));
    case RingHash::kSeed:
      return SeedPosition(SeedHash(key));
    case RingHash::kFnv:
      break;
  }
  return PositionOfKeyHash(HashKey(key));
}

// A label begins with its number, so its hash begins alike for all providers; the rest is done for
// eight labels side by side, because a lone FNV waits for its multiplier at every byte.
void HashRing::AddFnvPoints(std::span<const Provider> providers, std::span<const Index> order,
                            std::span<const std::uint32_t> counts) {
  constexpr std::uint32_t kLanes = 8;
  const std::uint32_t most = *std::max_element(counts.begin(), counts.end());
  std::vector<std::uint32_t> prefixes;
  prefixes.reserve(most + kLanes);
  for (std::uint32_t i = 0; i < most + kLanes; ++i) {
    prefixes.push_back(Fnv1a32(LabelPrefix(i)));
  }
  for (const Index owner : order) {
    for (std::uint32_t i = 0; i < counts[owner]; i += kLanes) {
      std::array<std::uint32_t, kLanes> hash;
      std::copy_n(prefixes.begin() + i, kLanes, hash.begin());
      for (const char c : providers[owner].address) {
        for (std::uint32_t& h : hash) h = (h ^ static_cast<unsigned char>(c)) * kFnvPrime;
      }
      for (std::uint32_t lane = 0; lane < std::min(kLanes, counts[owner] - i); ++lane) {
        points_.push_back({Avalanche(hash[lane]), owner});
      }
    }
  }
}

void HashRing::AddLabelledPoints(std::span<const Provider> providers, std::span<const Index> order,
                                 std::span<const std::uint32_t> counts) {
  for (const Index owner : order) {
    for (std::uint32_t i = 0; i < counts[owner]; ++i) {
      points_.push_back(
          {PositionOfKey(options_.hash, LabelPrefix(i) + providers[owner].address), owner});
    }
  }
}

// Radix sort, three passes of 11 bits. It is stable: equal positions stay in the order of addresses
// in which they were added.
void HashRing::SortPoints() {
  constexpr std::uint32_t kBits = 11;
  constexpr std::uint32_t kDigits = 1 << kBits;
  std::vector<Point> sorted(points_.size());
  sorted.reserve(points_.capacity());
  for (std::uint32_t shift = 0; shift < 32; shift += kBits) {
    std::array<std::uint32_t, kDigits> next{};
    for (const Point& point : points_) ++next[(point.position >> shift) % kDigits];
    std::exclusive_scan(next.begin(), next.end(), next.begin(), 0U);
    for (const Point& point : points_) sorted[next[(point.position >> shift) % kDigits]++] = point;
    points_.swap(sorted);
  }
}

// One to two points per bucket on average, so that a search is two memory accesses.
void HashRing::IndexPoints() {
  const int bits = std::max(static_cast<int>(std::bit_width(size())) - 1, 1);
  shift_ = static_cast<std::uint32_t>(32 - bits);
  buckets_.resize(std::size_t{1} << bits);
  std::uint32_t i = 0;
  for (std::uint32_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    while (i < size() && points_[i].position < bucket << shift_) ++i;
    buckets_[bucket] = i;
  }
}

std::vector<double> HashRing::Shares() const {
  std::vector<double> shares(providers_, 0.0);
  if (points_.empty()) return shares;
  std::uint32_t before = points_[size() - 1].position;
  for (std::size_t i = 0; i < size(); ++i) {
    const std::uint32_t arc = points_[i].position - before;  // modulo 2^32
    before = points_[i].position;
    shares[points_[i].owner] += static_cast<double>(arc) / 4294967296.0;
  }
  if (size() == 1) shares[points_[0].owner] = 1;
  return shares;
}

}  // namespace weir
