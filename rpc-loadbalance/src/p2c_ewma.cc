// p2c_ewma: of two providers drawn at random the one whose next call is expected to cost less, by
// the peak-sensitive mean of its response times (Finagle's "Peak EWMA"; response_cost.h,
// two_choices.h).
#include "explain.h"
#include "response_cost.h"
#include "strategies.h"
#include "two_choices.h"
#include "weights.h"

namespace weir {
namespace {

struct Tables {
  Tables(const Snapshot& snapshot, const ResponseCost& response_cost)
      : choices(snapshot.providers()),
        cost(response_cost),
        inverse_weights(InverseWeights(EffectiveWeights(snapshot.providers()))) {}
  TwoChoices choices;
  ResponseCost cost;
  std::vector<float> inverse_weights;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot*) {
  if (snapshot.size() == 0) return nullptr;
  return std::make_shared<const Tables>(snapshot, *ResponseCost::Read(parameters));
}

[[gnu::always_inline]] inline Cost CostOf(const Tables& tables, const Snapshot& snapshot, Index i,
                                          std::int64_t now_ns) noexcept {
  const Endpoint& endpoint = snapshot.endpoint(i);
  return tables.cost.Of(endpoint, endpoint.peak_ns(), snapshot.active(i), tables.inverse_weights[i],
                        now_ns);
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.tables() == nullptr) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const TwoChoices::Pair pair = tables.choices.Draw(context);
  if (pair.first == pair.second) return pair.first;
  const Cost cost = CostOf(tables, snapshot, pair.first, context.now_ns);
  const Cost others = CostOf(tables, snapshot, pair.second, context.now_ns);
  return pair.Choose(others < cost);
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const auto [first, second] = tables.choices.Draw(context);
  if (first == second) return "nobody else is left";
  const auto describe = [&](Index i) {
    const Endpoint& endpoint = snapshot.endpoint(i);
    return ResponseCost::Describe(CostOf(tables, snapshot, i, context.now_ns), endpoint.peak_ns(),
                                  snapshot.active(i), endpoint);
  };
  const Index other = picked == first ? second : first;
  return describe(picked) + "; against " + snapshot.provider(other).address + ", " +
         describe(other);
}

}  // namespace

LoadBalance TwoChoicesEwmaStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = ResponseCost::Check, .explain = Explain};
}

}  // namespace weir
