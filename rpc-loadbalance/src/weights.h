// Weights as the strategies count them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weir/registry.h"

namespace weir {

// One weight per provider: unset counts as kDefaultWeight, more than kMaxWeight as kMaxWeight. If
// every weight is 0 all count as 1, so that a list is never without a choice.
std::vector<std::uint32_t> EffectiveWeights(std::span<const Provider> providers);

std::uint64_t Sum(std::span<const std::uint32_t> weights);
// True for an empty list as well.
bool AllEqual(std::span<const std::uint32_t> weights);

}  // namespace weir
