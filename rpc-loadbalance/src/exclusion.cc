#include "exclusion.h"

namespace weir {

Index CountIncluded(Index n, const PickContext& context) noexcept {
  if (context.excluded.empty()) return n;
  Index count = 0;
  for (Index i = 0; i < n; ++i) count += IsExcluded(context, i) ? 0 : 1;
  return count;
}

Index NthIncluded(Index n, const PickContext& context, Index k) noexcept {
  for (Index i = 0; i < n; ++i) {
    if (!IsExcluded(context, i) && k-- == 0) return i;
  }
  return kNone;
}

Index WeightedIncluded(std::span<const std::uint32_t> weights, const PickContext& context,
                       std::uint64_t word) noexcept {
  std::uint64_t sum = 0;
  for (Index i = 0; i < weights.size(); ++i) sum += IsExcluded(context, i) ? 0 : weights[i];
  std::uint64_t left = MulHigh(word, sum);
  for (Index i = 0; i < weights.size(); ++i) {
    if (IsExcluded(context, i)) continue;
    if (left < weights[i]) return i;
    left -= weights[i];
  }
  return kNone;
}

}  // namespace weir
