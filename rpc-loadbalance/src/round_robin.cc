// round_robin: in turns, by the channel's sequence number. Equal weights: provider = number mod n.
// Otherwise the turns are spread by weight (fair_order.h).
#include <algorithm>

#include "arithmetic.h"
#include "exclusion.h"
#include "fair_order.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

enum class Kind : std::uint8_t { kPlain, kOrder, kRotation };

struct Tables {
  Kind kind = Kind::kPlain;
  Divisor round;  // turns in a round; not for kRotation
  std::vector<std::uint16_t> order;
  WeightedRotation rotation;
  std::vector<std::uint32_t> weights;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->weights = EffectiveWeights(snapshot.providers());
  if (AllEqual(tables->weights)) {
    tables->round = Divisor(std::max<Index>(snapshot.size(), 1));
    return tables;
  }
  tables->order = FairOrder(tables->weights);
  if (tables->order.empty()) {
    tables->kind = Kind::kRotation;
    tables->rotation = WeightedRotation(tables->weights);
  } else {
    tables->kind = Kind::kOrder;
    tables->round = Divisor(tables->order.size());
  }
  return tables;
}

// The turns of excluded providers are themselves dealt out in turns among the rest, so that no
// neighbour inherits them all.
Index DealOut(Index n, const Tables& tables, const PickContext& context) noexcept {
  const Index included = CountIncluded(n, context);
  if (included == 0) return kNone;
  const std::uint64_t rounds = tables.round.Quotient(context.sequence);
  const std::uint64_t place = tables.round.Remainder(context.sequence);
  std::uint64_t excluded_before = 0;
  for (Index i = 0; i < place; ++i) excluded_before += IsExcluded(context, i) ? 1 : 0;
  const std::uint64_t turn = rounds * (n - included) + excluded_before;
  return NthIncluded(n, context, static_cast<Index>(turn % included));
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  if (tables.kind == Kind::kPlain) {
    const auto turn = static_cast<Index>(tables.round.Remainder(context.sequence));
    if (context.excluded.empty() || !IsExcluded(context, turn)) return turn;
    return DealOut(snapshot.size(), tables, context);
  }
  if (tables.kind == Kind::kOrder) {
    const Index turn = tables.order[tables.round.Remainder(context.sequence)];
    if (context.excluded.empty() || !IsExcluded(context, turn)) return turn;
    return RedrawIncluded(tables.weights, context, context.sequence, [&](std::uint64_t word) {
      return Index{tables.order[MulHigh(word, tables.order.size())]};
    });
  }
  const Index turn = tables.rotation.Turn(context.sequence);
  if (context.excluded.empty() || !IsExcluded(context, turn)) return turn;
  return RedrawIncluded(tables.weights, context, context.sequence,
                        [&](std::uint64_t word) { return tables.rotation.At(word); });
}

}  // namespace

LoadBalance RoundRobinStrategy() noexcept {
  return {.pick = Pick, .build = Build};
}

}  // namespace weir
