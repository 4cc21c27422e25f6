// A consistent-hash ring: keys to providers, such that a change of the list moves only the keys it
// must (Karger et al., "Consistent Hashing and Random Trees", STOC 1997).
//
// Every provider stands on a circle of 2^32 positions at the hashes of its virtual node labels
// "0#host:port", "1#host:port", ...; a key belongs to the provider whose virtual node is met first
// going clockwise from the key's position. The strategy `consistent_hash` is built on it, and so is
// the key-value store's routing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weir/load_balance.h"
#include "weir/registry.h"

namespace weir {

// Where labels and keys lie on the ring.
enum class RingHash : std::uint8_t {
  kFnv,    // labels: FNV-1a 32 and avalanche (fnv.h); keys: the upper half of HashKey
  kXxh64,  // labels and keys: the upper half of XXH64, seed 0
  kSeed,   // labels and keys: SeedHash (fnv.h)
};

// A value. Rings with equal options and equal providers are equal, in every process.
struct RingOptions {
  // Virtual nodes of a provider of weight `unit`: a provider has vnodes * weight / unit of them,
  // rounded, but at least 1.
  std::uint32_t vnodes = 160;
  // 0: taken from the list, the one of 100 * 2^k (k may be negative) with 7/8 * unit <= mean weight
  // < 7/4 * unit. So an average provider has 0.875 to 1.75 times `vnodes`, those of the default
  // weight exactly `vnodes`, and the counts of the others stay as they are while the mean stays
  // within the band. A fixed unit makes that unconditional (an owner of data wants this).
  std::uint32_t unit = 0;
  RingHash hash = RingHash::kFnv;
};

// Immutable; any number of threads. Costs 8 bytes per virtual node and an index of 2 to 4 more.
// Does not depend on the order of the list: positions met twice go to the lower address.
class HashRing {
 public:
  // `providers` have distinct addresses; weight kWeightUnset counts as kDefaultWeight, 0 keeps a
  // provider off the ring unless all are 0.
  explicit HashRing(std::span<const Provider> providers, RingOptions options = {});

  // The position in `providers` of the one that owns `position`; kNone on an empty ring.
  Index Owner(std::uint32_t position) const noexcept {
    return points_.empty() ? kNone : points_[First(position)].owner;
  }
  // The owner of a key; the same as Owner(PositionOfKey(options().hash, key)).
  Index OwnerOfKey(std::string_view key) const noexcept {
    return Owner(PositionOfKey(options_.hash, key));
  }
  // The first clockwise from `position` for which accept(Index) is true, kNone if none is. A
  // provider may be asked about more than once.
  template <class Accept>
  Index Walk(std::uint32_t position, Accept accept) const noexcept {
    if (points_.empty()) return kNone;
    const std::size_t start = First(position);
    for (std::size_t i = start; i < size(); ++i) {
      if (accept(points_[i].owner)) return points_[i].owner;
    }
    for (std::size_t i = 0; i < start && i < size(); ++i) {
      if (accept(points_[i].owner)) return points_[i].owner;
    }
    return kNone;
  }

  // Where a key lies, from its HashKey (RingHash::kFnv) or from its text.
  static std::uint32_t PositionOfKeyHash(std::uint64_t key_hash) noexcept {
    return static_cast<std::uint32_t>(key_hash >> 32);
  }
  static std::uint32_t PositionOfKey(RingHash hash, std::string_view key) noexcept;

  const RingOptions& options() const noexcept { return options_; }
  // Virtual nodes, all providers together.
  std::size_t size() const noexcept { return points_.empty() ? 0 : points_.size() - 1; }
  // The part of the circle each of the providers owns; sums to 1. O(size()).
  std::vector<double> Shares() const;

 private:
  struct Point {
    std::uint32_t position;
    Index owner;
  };

  // The first point at or after `position`; size() means the sentinel, a copy of the first point.
  std::size_t First(std::uint32_t position) const noexcept {
    std::size_t i = buckets_[position >> shift_];
    while (points_[i].position < position) ++i;
    return i;
  }
  // `order` is that of the addresses; `counts` are the virtual nodes by position in `providers`.
  void AddFnvPoints(std::span<const Provider> providers, std::span<const Index> order,
                    std::span<const std::uint32_t> counts);
  void AddLabelledPoints(std::span<const Provider> providers, std::span<const Index> order,
                         std::span<const std::uint32_t> counts);
  void SortPoints();
  void IndexPoints();

  RingOptions options_;
  std::uint32_t providers_ = 0;
  std::uint32_t shift_ = 0;
  std::vector<Point> points_;           // by position, then address; the sentinel last
  std::vector<std::uint32_t> buckets_;  // by the top bits of a position: the first point not before
};

}  // namespace weir
