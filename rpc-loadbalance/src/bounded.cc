// bounded(c=1.25): nobody gets more than ceil(c * its share of the calls in flight), whatever the
// strategy; a provider that is full is refused, and the strategy asked again without it.
//
// The cap is that of consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2018):
// calls in flight from this channel to all that are not excluded, this one included, divided by
// weight. Costs a look at every provider per pick.
#include <array>
#include <cmath>

#include "decorators.h"
#include "fair_share.h"
#include "refusals.h"
#include "weights.h"

namespace weir {
namespace {

// How often the strategy is asked again. Then whoever has room takes the call.
constexpr int kMostAsked = 16;
// Apart from the words that strategies make from the same random word.
constexpr std::uint64_t kOwnWords = 0x6a09e667f3bcc908;

struct Tables {
  std::uint64_t permille;
  std::vector<std::uint32_t> weights;
};

Result<std::uint64_t> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 1> kKeys = {"c"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<double> c = parameters.Number("c", 1.25, 1, 100);
  if (!c.ok()) return c.status();
  return static_cast<std::uint64_t>(std::lround(*c * 1000));
}

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters) {
  return std::make_shared<Tables>(*Read(parameters), EffectiveWeights(snapshot.providers()));
}

// What happened on the way to an answer.
struct Trace {
  Index full = kNone;  // the first that was refused
  int refused = 0;
};

Index Decide(const RequestView& request, const Snapshot& snapshot, const PickContext& context,
             const Layer& layer, Trace& trace) noexcept {
  const Index n = snapshot.size();
  Index picked = layer.PickInner(request, snapshot, context);
  if (picked >= n) return picked;
  const auto& tables = *static_cast<const Tables*>(layer.tables.get());
  const Together all(tables.weights, snapshot, context);
  const auto has_room = [&](Index i) {
    return snapshot.active(i) < CapOf(all, tables.weights[i], tables.permille);
  };
  if (has_room(picked)) return picked;
  trace.full = picked;
  Refusals refusals(context);
  while (trace.refused < kMostAsked && refusals.Add(picked)) {
    ++trace.refused;
    picked = layer.PickInner(request, snapshot, refusals.context());
    if (picked >= n) break;
    if (has_room(picked)) return picked;
  }
  const std::uint64_t word = request.has_key ? request.key_hash : context.random;
  const Index begin = Below(NextWord(word ^ kOwnWords, 0), n);
  for (Index step = 0; step < n; ++step) {
    const Index i = (begin + step) % n;
    if (!IsExcluded(context, i) && has_room(i)) return i;
  }
  // Only if counts changed while we looked.
  return trace.full;
}

Index Pick(const RequestView& request, const Snapshot& snapshot, const PickContext& context,
           const Layer& layer) noexcept {
  Trace trace;
  return Decide(request, snapshot, context, layer, trace);
}

std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, const Layer& layer, Index) {
  Trace trace;
  Decide(request, snapshot, context, layer, trace);
  if (trace.full == kNone) return {};
  const auto& tables = *static_cast<const Tables*>(layer.tables.get());
  const Together all(tables.weights, snapshot, context);
  return snapshot.provider(trace.full).address + " is full, " +
         std::to_string(snapshot.active(trace.full)) + " calls of " +
         std::to_string(CapOf(all, tables.weights[trace.full], tables.permille)) +
         (trace.refused > 1 ? "; refused " + std::to_string(trace.refused) : "");
}

}  // namespace

Decorator BoundedDecorator() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain};
}

}  // namespace weir
