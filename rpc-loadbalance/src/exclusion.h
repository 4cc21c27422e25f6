// Choosing among what is left when some providers are excluded. Rare (a retry), so these may cost
// more than a pick; they allocate nothing either.
#pragma once

#include <cstdint>
#include <span>

#include "arithmetic.h"
#include "weir/load_balance.h"

namespace weir {

// Providers 0..n-1 that are not excluded.
Index CountIncluded(Index n, const PickContext& context) noexcept;

// The k-th (from 0) of 0..n-1 that is not excluded; k < CountIncluded(n, context).
Index NthIncluded(Index n, const PickContext& context, Index k) noexcept;

// One of those not excluded, in proportion to their weights; kNone if their weights sum to 0.
Index WeightedIncluded(std::span<const std::uint32_t> weights, const PickContext& context,
                       std::uint64_t word) noexcept;

// Draws again, up to 16 times, until `draw(word)` is not excluded, which keeps the proportions of
// the draw; if that fails decides by a walk over all weights, exactly.
template <class Draw>
Index RedrawIncluded(std::span<const std::uint32_t> weights, const PickContext& context,
                     std::uint64_t seed, Draw draw) noexcept {
  for (std::uint64_t attempt = 0; attempt < 16; ++attempt) {
    const Index i = draw(NextWord(seed, attempt));
    if (!IsExcluded(context, i)) return i;
  }
  return WeightedIncluded(weights, context, NextWord(seed, 16));
}

}  // namespace weir
