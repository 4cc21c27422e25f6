// How a provider's calls in flight compare with its share of all calls in flight.
#pragma once

#include <cstdint>
#include <span>

#include "arithmetic.h"
#include "exclusion.h"
#include "weir/load_balance.h"

namespace weir {

// All that are not excluded, together. Excluded providers count neither in the calls nor in the
// sum, so that the others' caps make room for the call to be placed.
struct Together {
  // `weights`: EffectiveWeights of the snapshot's providers.
  Together(std::span<const std::uint32_t> weights, const Snapshot& snapshot,
           const PickContext& context) noexcept {
    for (Index i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0 || IsExcluded(context, i)) continue;
      calls += snapshot.active(i);
      weight += weights[i];
    }
  }
  std::uint64_t calls = 1;   // in flight, and the one to be placed
  std::uint64_t weight = 0;  // sum
};

// The most calls a provider may have: ceil(permille / 1000 * its share of the calls).
inline std::uint64_t CapOf(const Together& all, std::uint32_t weight,
                           std::uint64_t permille) noexcept {
  const Wide product = static_cast<Wide>(permille) * all.calls * weight;
  const Wide whole = static_cast<Wide>(all.weight) * 1000;
  return whole == 0 ? 0 : static_cast<std::uint64_t>((product + whole - 1) / whole);
}

}  // namespace weir
