// consistent_hash: equal keys to the same provider, over HashRing.
//
// Parameters: vnodes, unit and hash as in RingOptions; bound=c caps a provider at c times its fair
// share of the calls in flight, later ones go clockwise (Mirrokni, Thorup, Zadimoghaddam,
// "Consistent Hashing with Bounded Loads", 2018).
#include <array>
#include <cmath>

#include "arithmetic.h"
#include "exclusion.h"
#include "strategies.h"
#include "weights.h"
#include "weir/loadbalance/hash_ring.h"

namespace weir {
namespace {

struct Options {
  RingOptions ring;
  std::uint64_t bound_permille = 0;  // 0: no bound
};

Result<Options> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 4> kKeys = {"vnodes", "unit", "bound", "hash"};
  static constexpr std::array<std::string_view, 3> kHashes = {"fnv", "xxh64", "seed"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> vnodes = parameters.Integer("vnodes", RingOptions{}.vnodes, 1, 4096);
  if (!vnodes.ok()) return vnodes.status();
  const Result<std::int64_t> unit = parameters.Integer("unit", 0, 1, kMaxWeight);
  if (!unit.ok()) return unit.status();
  const Result<double> bound = parameters.Number("bound", 0, 1, 100);
  if (!bound.ok()) return bound.status();
  const Result<std::size_t> hash = parameters.OneOf("hash", 0, kHashes);
  if (!hash.ok()) return hash.status();
  static_assert(static_cast<int>(RingHash::kXxh64) == 1 && static_cast<int>(RingHash::kSeed) == 2);
  return Options{{static_cast<std::uint32_t>(*vnodes), static_cast<std::uint32_t>(*unit),
                  static_cast<RingHash>(*hash)},
                 static_cast<std::uint64_t>(std::lround(*bound * 1000))};
}

struct Tables {
  Tables(const Snapshot& snapshot, const Options& options, HashRing made)
      : ring(std::move(made)),
        bound_permille(options.bound_permille),
        weights(EffectiveWeights(snapshot.providers())) {}
  HashRing ring;
  std::uint64_t bound_permille;
  std::vector<std::uint32_t> weights;
};

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot* previous) {
  const Options options = *Read(parameters);
  const auto* before =
      previous == nullptr ? nullptr : static_cast<const Tables*>(previous->tables());
  HashRing ring = before == nullptr ? HashRing(snapshot.providers(), options.ring)
                                    : HashRing(snapshot.providers(), options.ring, before->ring,
                                               previous->providers());
  return std::make_shared<const Tables>(snapshot, options, std::move(ring));
}

// The first clockwise with room below its cap, ceil(c * (calls in flight + 1) * weight / sum).
// Excluded providers count neither in the calls nor in the sum, so that the others' caps make room
// for this call; only a counter that changes while we look can leave none, and then the owner
// takes the call.
Index PickBounded(const Tables& tables, const Snapshot& snapshot, const PickContext& context,
                  std::uint32_t position) noexcept {
  const auto active = [&](Index i) -> std::uint64_t { return snapshot.active(i); };
  std::uint64_t calls = 1;
  std::uint64_t sum = 0;
  for (Index i = 0; i < snapshot.size(); ++i) {
    if (tables.weights[i] == 0 || IsExcluded(context, i)) continue;
    calls += active(i);
    sum += tables.weights[i];
  }
  if (sum == 0) return kNone;
  const Index chosen = tables.ring.Walk(position, [&](Index i) {
    return !IsExcluded(context, i) &&
           // active < ceil(x / y) is active * y < x.
           static_cast<Wide>(active(i)) * 1000 * sum <
               static_cast<Wide>(tables.bound_permille) * calls * tables.weights[i];
  });
  if (chosen != kNone) return chosen;
  return tables.ring.Walk(position, [&](Index i) { return !IsExcluded(context, i); });
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  std::uint32_t position = HashRing::PositionOfKeyHash(context.random);
  if (request.has_key) {
    position = tables.ring.options().hash == RingHash::kFnv
                   ? HashRing::PositionOfKeyHash(request.key_hash)
                   : HashRing::PositionOfKey(tables.ring.options().hash, request.key);
  }
  if (tables.bound_permille != 0) return PickBounded(tables, snapshot, context, position);
  if (context.excluded.empty()) return tables.ring.Owner(position);
  if (CountIncluded(snapshot.size(), context) == 0) return kNone;
  return tables.ring.Walk(position, [&](Index i) { return !IsExcluded(context, i); });
}

}  // namespace

LoadBalance ConsistentHashStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = Check};
}

}  // namespace weir
