// The virtual nodes of a ring: how many a provider has, where they lie, and their order.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "weir/loadbalance/hash_ring.h"

namespace weir {

// Virtual nodes by position in `providers`; empty if there are none. For kWeightUnset and 0 see
// HashRing.
std::vector<std::uint32_t> VirtualNodes(std::span<const Provider> providers,
                                        const RingOptions& options);

// Where the labels "0#address", "1#address", ... lie, for numbers below a maximum.
class LabelPositions {
 public:
  LabelPositions(RingHash hash, std::uint32_t maximum);

  // Of the labels [first, last). The result stays until the next call.
  std::span<const std::uint32_t> Of(std::string_view address, std::uint32_t first,
                                    std::uint32_t last);

 private:
  RingHash hash_;
  std::vector<std::uint32_t> prefixes_;  // FNV-1a of "0#", "1#", ...
  std::vector<std::uint32_t> positions_;
};

// A point packed for sorting.
using PackedPoint = std::uint64_t;
constexpr PackedPoint Pack(std::uint32_t position, Index owner) noexcept {
  return PackedPoint{position} << 32 | owner;
}

// Sorts by position and keeps the order of equal positions: a radix sort that deals the points out
// by their top 8 bits, then sorts each share, which fits into the first-level cache, by the other
// 24. Both spans are overwritten; `space` is as long as `points`.
void SortPoints(std::span<PackedPoint> points, std::span<PackedPoint> space,
                std::uint32_t* positions, Index* owners);

}  // namespace weir
