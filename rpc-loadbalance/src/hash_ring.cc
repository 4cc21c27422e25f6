#include "weir/loadbalance/hash_ring.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "address_order.h"
#include "lanes.h"
#include "ring_points.h"
#include "weir/loadbalance/fnv.h"

namespace weir {
namespace {

std::uint32_t UpperHalf(std::uint64_t hash) noexcept {
  return static_cast<std::uint32_t>(hash >> 32);
}

// HashRing::Bucket, as it lies in memory.
struct BucketBytes {
  I16x8 bits_and_first;
  I16x8 owners;
};

struct SortedPoints {
  const std::uint32_t* positions;
  const Index* owners;
  const std::uint32_t* first;  // by bucket: its first point, or ~0
  std::size_t size;
  int bits;
  std::size_t buckets;
};

[[gnu::always_inline]] inline void FillBuckets(const SortedPoints points,
                                               BucketBytes* buckets) noexcept {
  constexpr I16x8 kLane = {0, 1, 2, 3, 4, 5, 6, 7};
  constexpr std::uint32_t kInBucket = 6;
  auto next = static_cast<std::uint32_t>(points.size);
  for (std::size_t i = points.buckets; i-- > 0;) {
    // An empty one begins where the next does. (A minimum, but without a branch: one in ten is
    // empty, and none can tell which.)
    const std::uint32_t first = points.first[i];
    const std::uint32_t begin = next ^ ((next ^ first) & (0U - (first < next ? 1U : 0U)));
    U32x8 positions;
    I32x8 owners;
    std::memcpy(&positions, points.positions + begin, sizeof positions);
    std::memcpy(&owners, points.owners + begin, sizeof owners);
    const I32x8 wide = (I32x8)((positions << points.bits) ^ 0x80000000U) >> 16;
    const I16x8 all = __builtin_convertvector(wide, I16x8);
    const I16x8 own = kLane < static_cast<std::int16_t>(std::min(next - begin, kInBucket));
    const I16x8 filled = (all & own) | (~own & std::int16_t{0x7fff});
    const I16x8 narrow = __builtin_convertvector(owners, I16x8);
    auto* const bucket = reinterpret_cast<unsigned char*>(buckets + i);
    std::memcpy(bucket, &filled, sizeof filled);
    std::memcpy(bucket + kInBucket * sizeof(std::int16_t), &begin, sizeof begin);
    std::memcpy(bucket + sizeof filled, &narrow, sizeof narrow);
    next = begin;
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void FillBucketsAvx2(const SortedPoints& points,
                                             BucketBytes* buckets) noexcept {
  FillBuckets(points, buckets);
}
#endif

void FillBucketsAtBest(const SortedPoints& points, BucketBytes* buckets) noexcept {
#if defined(__x86_64__)
  if (kHasAvx2) return FillBucketsAvx2(points, buckets);
#endif
  FillBuckets(points, buckets);
}

}  // namespace

HashRing::HashRing(std::span<const Provider> providers, RingOptions options)
    : options_(options), providers_(static_cast<std::uint32_t>(providers.size())) {
  Build(providers, VirtualNodes(providers, options));
}

HashRing::HashRing(std::span<const Provider> providers, RingOptions options,
                   const HashRing& previous, std::span<const Provider> previous_providers)
    : options_(options), providers_(static_cast<std::uint32_t>(providers.size())) {
  const std::vector<std::uint32_t> counts = VirtualNodes(providers, options);
  if (!Update(providers, counts, previous, previous_providers)) Build(providers, counts);
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

// A whole vector of positions or owners may be read from any point on, the sentinel included.
void HashRing::Allocate(std::size_t points) {
  size_ = points;
  positions_ = std::make_shared_for_overwrite<std::uint32_t[]>(points + kLanes);
  owners_ = std::make_shared_for_overwrite<Index[]>(points + kLanes);
}

void HashRing::Build(std::span<const Provider> providers, std::span<const std::uint32_t> counts) {
  std::size_t total = 0;
  for (const std::uint32_t count : counts) total += count;
  if (total == 0) return;
  Allocate(total);
  LabelPositions labels(options_.hash, *std::max_element(counts.begin(), counts.end()));
  const auto points = std::make_unique_for_overwrite<PackedPoint[]>(2 * total);
  PackedPoint* end = points.get();
  for (const Index owner : AddressOrder(providers)) {
    for (const std::uint32_t position : labels.Of(providers[owner].address, 0, counts[owner])) {
      *end++ = Pack(position, owner);
    }
  }
  SortPoints({points.get(), total}, {end, total}, positions_.get(), owners_.get());
  Complete();
}

void HashRing::Complete() {
  std::fill_n(positions_.get() + size_, kLanes, ~std::uint32_t{0});
  std::fill_n(owners_.get() + size_, kLanes, owners_[0]);

  const int bits = std::max(static_cast<int>(std::bit_width(size_ * 2 / 3)) - 1, 1);
  shift_ = static_cast<std::uint32_t>(32 - bits);
  const std::size_t count = std::size_t{1} << bits;
  // Where each bucket begins: the last write is that of its first point.
  const auto first = std::make_unique_for_overwrite<std::uint32_t[]>(count);
  std::fill_n(first.get(), count, ~std::uint32_t{0});
  for (auto i = static_cast<std::uint32_t>(size_); i-- > 0;) {
    first[positions_[i] >> shift_] = i;
  }
  buckets_ = std::make_shared_for_overwrite<Bucket[]>(count);
  static_assert(sizeof(Bucket) == sizeof(BucketBytes) && offsetof(Bucket, first) == 12 &&
                offsetof(Bucket, owners) == 16);
  FillBucketsAtBest({positions_.get(), owners_.get(), first.get(), size_, bits, count},
                    reinterpret_cast<BucketBytes*>(buckets_.get()));
}

std::vector<double> HashRing::Shares() const {
  std::vector<double> shares(providers_, 0.0);
  if (size_ == 0) return shares;
  std::uint32_t before = positions_[size_ - 1];
  for (std::size_t i = 0; i < size_; ++i) {
    const std::uint32_t arc = positions_[i] - before;  // modulo 2^32
    before = positions_[i];
    shares[owners_[i]] += static_cast<double>(arc) / 4294967296.0;
  }
  if (size_ == 1) shares[owners_[0]] = 1;
  return shares;
}

bool operator==(const HashRing& a, const HashRing& b) noexcept {
  const auto buckets_of = [](const HashRing& ring) {
    return ring.size_ == 0 ? 0 : sizeof(HashRing::Bucket) << (32 - ring.shift_);
  };
  return a.options_ == b.options_ && a.providers_ == b.providers_ && a.size_ == b.size_ &&
         a.shift_ == b.shift_ &&
         std::equal(a.positions_.get(), a.positions_.get() + a.size_, b.positions_.get()) &&
         std::equal(a.owners_.get(), a.owners_.get() + a.size_, b.owners_.get()) &&
         (a.size_ == 0 || std::memcmp(a.buckets_.get(), b.buckets_.get(), buckets_of(a)) == 0);
}

}  // namespace weir
