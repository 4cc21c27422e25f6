// A consistent-hash ring: keys to providers, such that a change of the list moves only the keys it
// must (Karger et al., "Consistent Hashing and Random Trees", STOC 1997).
//
// Every provider stands on a circle of 2^32 positions at the hashes of its virtual node labels
// "0#host:port", "1#host:port", ...; a key belongs to the provider whose virtual node is met first
// going clockwise from the key's position. The strategy `consistent_hash` is built on it, and so is
// the key-value store's routing.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

  friend bool operator==(const RingOptions&, const RingOptions&) = default;
};

// Immutable; any number of threads; copies share their memory. Costs 8 bytes per virtual node and
// an index of 11 to 22 more. Does not depend on the order of the list: positions met twice go to
// the lower address.
class HashRing {
 public:
  // `providers` have distinct addresses; weight kWeightUnset counts as kDefaultWeight, 0 keeps a
  // provider off the ring unless all are 0.
  explicit HashRing(std::span<const Provider> providers, RingOptions options = {});
  // The same ring, from that of an earlier list: `previous` was made for `previous_providers`.
  // Where both have most of their virtual nodes in common, only the others are hashed and sorted,
  // and the rest is copied; otherwise everything is made anew.
  HashRing(std::span<const Provider> providers, RingOptions options, const HashRing& previous,
           std::span<const Provider> previous_providers);

  // The position in `providers` of the one that owns `position`; kNone on an empty ring.
  Index Owner(std::uint32_t position) const noexcept {
    if (size_ == 0) return kNone;
    const Bucket& bucket = BucketOf(position);
    const std::uint32_t before = Before(bucket, position);
    if (before != kUnsure && providers_ <= kMaxNarrow) [[likely]]
      return bucket.owners[before];
    return owners_[First(position)];
  }
  // The owner of a key; the same as Owner(PositionOfKey(options().hash, key)).
  Index OwnerOfKey(std::string_view key) const noexcept {
    return Owner(PositionOfKey(options_.hash, key));
  }
  // The first clockwise from `position` for which accept(Index) is true, kNone if none is. A
  // provider may be asked about more than once.
  template <class Accept>
  Index Walk(std::uint32_t position, Accept accept) const noexcept {
    if (size_ == 0) return kNone;
    const std::size_t start = First(position);
    for (std::size_t i = start; i < size_; ++i) {
      if (accept(owners_[i])) return owners_[i];
    }
    for (std::size_t i = 0; i < start && i < size_; ++i) {
      if (accept(owners_[i])) return owners_[i];
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
  std::size_t size() const noexcept { return size_; }
  // Where the virtual node lies that owns `position`; the ring is not empty.
  std::uint32_t NodeAt(std::uint32_t position) const noexcept {
    const std::size_t i = First(position);
    return positions_[i < size_ ? i : 0];
  }
  // The part of the circle each of the providers owns; sums to 1. O(size()).
  std::vector<double> Shares() const;

  // Equal in every virtual node and owner.
  friend bool operator==(const HashRing& a, const HashRing& b) noexcept;

 private:
  // One value of a position's top bits stands for a part of the circle, with one and a half to
  // three points on average. A search is one comparison of eight numbers on one cache line, without
  // a branch; only if 16 bits do not decide or the points are more than six does it look further.
  struct alignas(32) Bucket {
    // Of up to six points, ascending: the 16 bits below the top ones, less 0x8000. The rest is
    // filled up with 0x7fff.
    std::int16_t bits[6];
    std::uint32_t first;      // the first point not before this part
    std::uint16_t owners[8];  // of it and the next seven; unless there are too many providers
  };
  static constexpr std::uint32_t kMaxNarrow = 1 << 16;  // providers that 16 bits can tell apart
  static constexpr std::uint32_t kUnsure = 6;

  const Bucket& BucketOf(std::uint32_t position) const noexcept {
    return buckets_[position >> shift_];
  }
  // How many of the bucket's points lie before `position`, 0 to 5, or kUnsure.
  std::uint32_t Before(const Bucket& bucket, std::uint32_t position) const noexcept {
    const auto bits = static_cast<std::int16_t>(((position << (32 - shift_)) >> 16) ^ 0x8000U);
#if defined(__SSE2__)
    constexpr std::uint32_t kAll = 0xfff;  // two bits for each of six
    const __m128i points = _mm_load_si128(reinterpret_cast<const __m128i*>(&bucket));
    const __m128i wanted = _mm_set1_epi16(bits);
    const auto before =
        static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpgt_epi16(wanted, points))) & kAll;
    const auto equal =
        static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi16(wanted, points))) & kAll;
    if (equal != 0) [[unlikely]]
      return kUnsure;
    return static_cast<std::uint32_t>(std::countr_zero(~before)) / 2;
#else
    std::uint32_t before = 0;
    for (const std::int16_t point : bucket.bits) {
      if (bits == point) return kUnsure;
      before += bits > point ? 1 : 0;
    }
    return before;
#endif
  }
  // The first point at or after `position`; size() means the sentinel, which has the owner of the
  // first point.
  std::size_t First(std::uint32_t position) const noexcept {
    const Bucket& bucket = BucketOf(position);
    const std::uint32_t before = Before(bucket, position);
    if (before != kUnsure) [[likely]]
      return bucket.first + before;
    std::size_t i = bucket.first;
    while (positions_[i] < position) ++i;
    return i;
  }
  void Allocate(std::size_t points);
  void Build(std::span<const Provider> providers, std::span<const std::uint32_t> counts);
  // False if too much has changed.
  bool Update(std::span<const Provider> providers, std::span<const std::uint32_t> counts,
              const HashRing& previous, std::span<const Provider> previous_providers);
  // Adds the sentinel and the index to points and owners.
  void Complete();

  RingOptions options_;
  std::uint32_t providers_ = 0;
  std::uint32_t shift_ = 0;
  std::size_t size_ = 0;
  std::shared_ptr<std::uint32_t[]>
      positions_;                      // ascending, equal ones by address; the sentinel last
  std::shared_ptr<Index[]> owners_;    // of the same points
  std::shared_ptr<Bucket[]> buckets_;  // by the top bits of a position
};

}  // namespace weir
