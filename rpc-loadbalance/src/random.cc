// random: every provider alike, whatever its weight.
#include "arithmetic.h"
#include "exclusion.h"
#include "strategies.h"

namespace weir {
namespace {

[[gnu::noinline, gnu::cold]] Index DrawIncluded(Index n, const PickContext& context,
                                                Index drawn) noexcept {
  if (!IsExcluded(context, drawn)) return drawn;
  const Index included = CountIncluded(n, context);
  if (included == 0) return kNone;
  return NthIncluded(n, context, Below(NextWord(context.random, 0), included));
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  const Index n = snapshot.size();
  if (n == 0) return kNone;
  const Index drawn = Below(context.random, n);
  if (context.excluded.empty()) [[likely]]
    return drawn;
  return DrawIncluded(n, context, drawn);
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext&, Index) {
  return "drawn from " + std::to_string(snapshot.size());
}

}  // namespace

LoadBalance RandomStrategy() noexcept {
  return {.pick = Pick, .explain = Explain};
}

}  // namespace weir
