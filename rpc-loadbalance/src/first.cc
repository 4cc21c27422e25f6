// first: the first provider of the list that is not excluded; the others stand by.
#include "exclusion.h"
#include "strategies.h"

namespace weir {
namespace {

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  for (Index i = 0; i < snapshot.size(); ++i) {
    if (!IsExcluded(context, i)) return i;
  }
  return kNone;
}

std::string Explain(const RequestView&, const Snapshot&, const PickContext&, Index picked) {
  if (picked == kNone) return "all are excluded";
  return picked == 0 ? "the first of the list" : "the first of the list that is not excluded";
}

}  // namespace

LoadBalance FirstStrategy() noexcept {
  return {.pick = Pick, .explain = Explain};
}

}  // namespace weir
