// weighted_random: in proportion to the weights.
#include "alias_table.h"
#include "exclusion.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

struct Tables {
  explicit Tables(std::vector<std::uint32_t> effective)
      : weights(std::move(effective)), alias(weights) {}
  std::vector<std::uint32_t> weights;
  AliasTable alias;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  return std::make_shared<const Tables>(EffectiveWeights(snapshot.providers()));
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Index first = tables.alias.Choose(context.random);
  if (context.excluded.empty() || !IsExcluded(context, first)) return first;
  return RedrawIncluded(tables.weights, context, context.random,
                        [&](std::uint64_t word) { return tables.alias.Choose(word); });
}

}  // namespace

LoadBalance WeightedRandomStrategy() noexcept {
  return {.pick = Pick, .build = Build};
}

}  // namespace weir
