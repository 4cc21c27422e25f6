// round_robin: in turns, by the channel's sequence number. Equal weights: provider = number mod n.
// Otherwise the turns are spread by weight (fair_order.h).
#include "arithmetic.h"
#include "exclusion.h"
#include "fair_order.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

enum class Kind : std::uint8_t { kEmpty, kPlain, kOrder, kRotation };

struct Tables {
  Kind kind = Kind::kEmpty;
  Divisor round;  // turns in a round; not for kRotation
  std::vector<std::uint16_t> order;
  WeightedRotation rotation;
  std::vector<std::uint32_t> weights;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  if (snapshot.size() == 0) return tables;
  tables->weights = EffectiveWeights(snapshot.providers());
  if (AllEqual(tables->weights)) {
    tables->kind = Kind::kPlain;
    tables->round = Divisor(snapshot.size());
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

// Whose turn it is, nobody being excluded.
Index Turn(const Tables& tables, std::uint64_t sequence) noexcept {
  switch (tables.kind) {
    case Kind::kPlain:
      return static_cast<Index>(tables.round.Remainder(sequence));
    case Kind::kOrder:
      return tables.order[tables.round.Remainder(sequence)];
    case Kind::kRotation:
      return tables.rotation.Turn(sequence);
    case Kind::kEmpty:
      break;
  }
  return kNone;
}

[[gnu::noinline, gnu::cold]] Index TurnAmongIncluded(const Tables& tables,
                                                     const PickContext& context,
                                                     Index turn) noexcept {
  if (!IsExcluded(context, turn)) return turn;
  if (tables.kind == Kind::kPlain) {
    return DealOut(static_cast<Index>(tables.weights.size()), tables, context);
  }
  const auto draw = [&](std::uint64_t word) {
    return tables.kind == Kind::kRotation ? tables.rotation.At(word)
                                          : Index{tables.order[MulHigh(word, tables.order.size())]};
  };
  return RedrawIncluded(tables.weights, context, context.sequence, draw);
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Index turn = Turn(tables, context.sequence);
  if (context.excluded.empty()) [[likely]]
    return turn;
  return TurnAmongIncluded(tables, context, turn);
}

// "turn 17 of 40"
std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::string sequence = std::to_string(context.sequence);
  if (tables.kind == Kind::kEmpty) return "nobody to take a turn";
  if (tables.kind == Kind::kRotation) {
    return "turn " + sequence + " of a rotation by weight";
  }
  std::string why = "turn " + std::to_string(tables.round.Remainder(context.sequence) + 1) +
                    " of " + std::to_string(tables.round.value());
  if (tables.kind == Kind::kOrder) why += " by weight";
  if (picked != Turn(tables, context.sequence)) why += ", which is that of an excluded one";
  return why;
}

}  // namespace

LoadBalance RoundRobinStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
