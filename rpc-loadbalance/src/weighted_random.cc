// weighted_random: in proportion to the weights.
#include "alias_table.h"
#include "exclusion.h"
#include "explain.h"
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

[[gnu::noinline, gnu::cold]] Index DrawIncluded(const Tables& tables, const PickContext& context,
                                                Index drawn) noexcept {
  if (!IsExcluded(context, drawn)) return drawn;
  return RedrawIncluded(tables.weights, context, context.random,
                        [&](std::uint64_t word) { return tables.alias.Choose(word); });
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  if (tables.alias.empty()) return kNone;
  const Index drawn = tables.alias.Choose(context.random);
  if (context.excluded.empty()) [[likely]]
    return drawn;
  return DrawIncluded(tables, context, drawn);
}

// "drawn with weight 3 of 10"
std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext&,
                    Index picked) {
  const auto& weights = static_cast<const Tables*>(snapshot.tables())->weights;
  if (picked >= weights.size()) return kAllExcluded;
  return "drawn with weight " + std::to_string(weights[picked]) + " of " +
         std::to_string(Sum(weights));
}

}  // namespace

LoadBalance WeightedRandomStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
