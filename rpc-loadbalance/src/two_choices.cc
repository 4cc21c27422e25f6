#include "two_choices.h"

#include "exclusion.h"
#include "weights.h"

namespace weir {

TwoChoices::TwoChoices(std::span<const Provider> providers)
    : size_(static_cast<std::uint32_t>(providers.size())),
      weights_(EffectiveWeights(providers)),
      alias_(weights_) {
  equal_weights_ = AllEqual(weights_);
}

TwoChoices::Pair TwoChoices::DrawIncluded(const PickContext& context) const noexcept {
  const Index first = WeightedIncluded(weights_, context, context.random);
  if (first == kNone) return {kNone, kNone};
  const auto n = static_cast<Index>(weights_.size());
  const Index others = CountIncluded(n, context) - 1;
  if (others == 0) return {first, first};
  Index skip = Below(NextWord(context.random, 0), others);
  for (Index i = 0; i < n; ++i) {
    if (i != first && !IsExcluded(context, i) && skip-- == 0) return {first, i};
  }
  return {first, first};
}

}  // namespace weir
