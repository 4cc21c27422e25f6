#include "weights.h"

#include <algorithm>
#include <numeric>

namespace weir {

std::vector<std::uint32_t> EffectiveWeights(std::span<const Provider> providers) {
  std::vector<std::uint32_t> weights;
  weights.reserve(providers.size());
  for (const Provider& provider : providers) {
    const std::int32_t set = provider.weight < 0 ? kDefaultWeight : provider.weight;
    weights.push_back(static_cast<std::uint32_t>(std::min(set, kMaxWeight)));
  }
  if (Sum(weights) == 0) std::fill(weights.begin(), weights.end(), 1U);
  return weights;
}

std::uint64_t Sum(std::span<const std::uint32_t> weights) {
  return std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
}

bool AllEqual(std::span<const std::uint32_t> weights) {
  return std::all_of(weights.begin(), weights.end(),
                     [&](std::uint32_t weight) { return weight == weights.front(); });
}

}  // namespace weir
