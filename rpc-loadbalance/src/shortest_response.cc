// shortest_response: the provider whose next call is expected to cost the least, by the mean of its
// response times; ties at random (response_cost.h).
//
// Above kScanned providers a random sample is compared instead of all of them.
#include <limits>

#include "arithmetic.h"
#include "explain.h"
#include "response_cost.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

constexpr Index kScanned = 256;
constexpr Index kSampled = 32;

struct Tables {
  ResponseCost cost;
  std::vector<float> inverse_weights;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->cost = *ResponseCost::Read(parameters);
  tables->inverse_weights = InverseWeights(EffectiveWeights(snapshot.providers()));
  return tables;
}

Cost CostOf(const Tables& tables, const Snapshot& snapshot, Index i, std::int64_t now_ns) noexcept {
  const Endpoint& endpoint = snapshot.endpoint(i);
  return tables.cost.Of(endpoint, endpoint.latency_ns(), snapshot.active(i),
                        tables.inverse_weights[i], now_ns);
}

// The least so far; each further tie takes over with probability 1 / ties.
struct Least {
  Index index = kNone;
  Cost cost = {std::numeric_limits<float>::max(), 1};
  std::uint64_t ties = 0;

  void Consider(const Tables& tables, const Snapshot& snapshot, const PickContext& context,
                Index i) noexcept {
    const Cost own = CostOf(tables, snapshot, i, context.now_ns);
    if (cost < own) return;
    if (tables.inverse_weights[i] == std::numeric_limits<float>::infinity()) return;
    if (!context.excluded.empty() && IsExcluded(context, i)) return;
    ties = own == cost ? ties + 1 : 1;
    if (ties > 1 && Below(NextWord(context.random, i), ties) != 0) return;
    index = i;
    cost = own;
  }
};

Least Scan(const Tables& tables, const Snapshot& snapshot, const PickContext& context) noexcept {
  Least least;
  for (Index i = 0; i < snapshot.size(); ++i) least.Consider(tables, snapshot, context, i);
  return least;
}

Least Choose(const Snapshot& snapshot, const PickContext& context) noexcept {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Index n = snapshot.size();
  if (n <= kScanned) return Scan(tables, snapshot, context);
  Least least;
  for (Index k = 0; k < kSampled; ++k) {
    least.Consider(tables, snapshot, context, Below(NextWord(~context.random, k), n));
  }
  return least.index != kNone ? least : Scan(tables, snapshot, context);
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  return snapshot.size() == 0 ? kNone : Choose(snapshot, context).index;
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Least least = Choose(snapshot, context);
  const Endpoint& endpoint = snapshot.endpoint(picked);
  std::string why =
      ResponseCost::Describe(CostOf(tables, snapshot, picked, context.now_ns),
                             endpoint.latency_ns(), snapshot.active(picked), endpoint) +
      "; the least of ";
  why += snapshot.size() <= kScanned ? "all " + std::to_string(snapshot.size())
                                     : std::to_string(kSampled) + " at random";
  if (least.ties > 1) why += ", with " + std::to_string(least.ties - 1) + " equals";
  return why;
}

}  // namespace

LoadBalance ShortestResponseStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = ResponseCost::Check, .explain = Explain};
}

}  // namespace weir
