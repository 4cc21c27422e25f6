// jump: equal keys to the same provider without a table, by the number of providers (jump.h).
//
// The buckets are the providers in the order of their addresses: one that comes or goes at the end
// of that order moves only the keys it must, one in the middle shifts all behind it. No weights.
#include "jump.h"

#include "address_order.h"
#include "arithmetic.h"
#include "explain.h"
#include "strategies.h"

namespace weir {
namespace {

// Keys of excluded providers are hashed again so often before they are dealt out.
constexpr std::uint64_t kRehashes = 16;

using Order = std::vector<Index>;

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  return std::make_shared<const Order>(AddressOrder(snapshot.providers()));
}

Index Rehash(const Order& order, const PickContext& context, std::uint64_t key) noexcept {
  const auto n = static_cast<std::uint32_t>(order.size());
  for (std::uint64_t attempt = 0; attempt < kRehashes; ++attempt) {
    const Index i = order[JumpHash(NextWord(key, attempt), n)];
    if (!IsExcluded(context, i)) return i;
  }
  const std::uint32_t start = Below(NextWord(key, kRehashes), n);
  for (std::uint32_t step = 0; step < n; ++step) {
    const Index i = order[start + step < n ? start + step : start + step - n];
    if (!IsExcluded(context, i)) return i;
  }
  return kNone;
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& order = *static_cast<const Order*>(snapshot.tables());
  const std::uint64_t key = KeyWord(request, context);
  const Index i = order[JumpHash(key, snapshot.size())];
  if (context.excluded.empty() || !IsExcluded(context, i)) return i;
  return Rehash(order, context, key);
}

std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& order = *static_cast<const Order*>(snapshot.tables());
  const std::uint32_t bucket = JumpHash(KeyWord(request, context), snapshot.size());
  std::string why = KeyOf(request) + ": bucket " + std::to_string(bucket) + " of " +
                    std::to_string(order.size()) + " in the order of addresses";
  if (order[bucket] != picked) {
    why += ", hashed again after " + snapshot.provider(order[bucket]).address;
  }
  return why;
}

}  // namespace

LoadBalance JumpStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
