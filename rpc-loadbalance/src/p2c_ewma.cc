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

float TimeOf(const Tables& tables, const Snapshot& snapshot, Index i, std::uint32_t active,
             std::int64_t now_ns) noexcept {
  const Endpoint& endpoint = snapshot.endpoint(i);
  return tables.cost.Time(endpoint, endpoint.peak_ns(), active, now_ns);
}

float CostOf(const Tables& tables, const Snapshot& snapshot, Index i,
             std::int64_t now_ns) noexcept {
  const std::uint32_t active = snapshot.active(i);
  return TimeOf(tables, snapshot, i, active, now_ns) * static_cast<float>(active + 1) *
         tables.inverse_weights[i];
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const auto [first, second] = tables.choices.Draw(context);
  if (first == second) return first;
  return CostOf(tables, snapshot, second, context.now_ns) <
                 CostOf(tables, snapshot, first, context.now_ns)
             ? second
             : first;
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const auto [first, second] = tables.choices.Draw(context);
  if (first == second) return "nobody else is left";
  const auto describe = [&](Index i) {
    const std::uint32_t active = snapshot.active(i);
    return DescribeCost(CostOf(tables, snapshot, i, context.now_ns),
                        TimeOf(tables, snapshot, i, active, context.now_ns), active,
                        snapshot.endpoint(i));
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
