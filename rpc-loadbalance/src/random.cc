// random: every provider alike, whatever its weight.
#include "arithmetic.h"
#include "exclusion.h"
#include "strategies.h"

namespace weir {
namespace {

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  const Index n = snapshot.size();
  if (n == 0) return kNone;
  const Index first = Below(context.random, n);
  if (context.excluded.empty() || !IsExcluded(context, first)) return first;
  const Index included = CountIncluded(n, context);
  if (included == 0) return kNone;
  return NthIncluded(n, context, Below(NextWord(context.random, 0), included));
}

}  // namespace

LoadBalance RandomStrategy() noexcept {
  return {.pick = Pick};
}

}  // namespace weir
