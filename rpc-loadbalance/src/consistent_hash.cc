// consistent_hash: equal keys to the same provider, over HashRing.
//
// Parameters: vnodes, unit and hash as in RingOptions; bound=c caps a provider at c times its fair
// share of the calls in flight, later ones go clockwise (Mirrokni, Thorup, Zadimoghaddam,
// "Consistent Hashing with Bounded Loads", 2018).
#include <array>
#include <cmath>
#include <cstdio>

#include "arithmetic.h"
#include "exclusion.h"
#include "in_flight.h"
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
        weights(EffectiveWeights(snapshot.providers())),
        sum(Sum(weights)) {
    for (Index i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0) weightless.push_back(i);
    }
  }
  HashRing ring;
  std::uint64_t bound_permille;
  std::vector<std::uint32_t> weights;
  std::uint64_t sum;
  std::vector<Index> weightless;
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

// The caps of providers: ceil(bound * (calls in flight + 1) * weight / sum of weights). Excluded
// providers count neither in the calls nor in the sum, so that the others' caps make room for this
// call.
struct Caps {
  std::uint64_t calls = 1;
  std::uint64_t weights = 0;

  Caps(const Tables& tables, const Snapshot& snapshot, const PickContext& context) noexcept
      : calls(std::uint64_t{CallsInFlight(snapshot)} + 1), weights(tables.sum) {
    for (const Index i : tables.weightless) calls -= snapshot.active(i);
    for (std::size_t k = 0; k < context.excluded.size(); ++k) {
      const Index i = context.excluded[k];
      const bool counted = i < snapshot.size() && tables.weights[i] > 0 &&
                           !IsExcluded({.excluded = context.excluded.first(k)}, i);
      if (!counted) continue;
      calls -= snapshot.active(i);
      weights -= tables.weights[i];
    }
    // Counters that change while we look could make it negative.
    if (static_cast<std::int64_t>(calls) < 1) calls = 1;
  }

  // active < ceil(x / y) is active * y < x.
  bool HaveRoom(const Tables& tables, const Snapshot& snapshot, Index i) const noexcept {
    return static_cast<Wide>(std::uint64_t{snapshot.active(i)} * 1000) * weights <
           static_cast<Wide>(tables.bound_permille * calls) * tables.weights[i];
  }
};

// The first clockwise with room below its cap. Only a counter that changes while we look can leave
// none, and then the owner takes the call.
Index PickBounded(const Tables& tables, const Snapshot& snapshot, const PickContext& context,
                  std::uint32_t position) noexcept {
  const Caps caps(tables, snapshot, context);
  if (caps.weights == 0) return kNone;
  const Index chosen = tables.ring.Walk(position, [&](Index i) {
    return !IsExcluded(context, i) && caps.HaveRoom(tables, snapshot, i);
  });
  if (chosen != kNone) return chosen;
  return tables.ring.Walk(position, [&](Index i) { return !IsExcluded(context, i); });
}

std::uint32_t PositionOf(const Tables& tables, const RequestView& request,
                         const PickContext& context) noexcept {
  if (!request.has_key) return HashRing::PositionOfKeyHash(context.random);
  if (tables.ring.options().hash == RingHash::kFnv) [[likely]] {
    return HashRing::PositionOfKeyHash(request.key_hash);
  }
  return HashRing::PositionOfKey(tables.ring.options().hash, request.key);
}

[[gnu::noinline, gnu::cold]] Index OwnerAmongIncluded(const Tables& tables,
                                                      const Snapshot& snapshot,
                                                      const PickContext& context,
                                                      std::uint32_t position) noexcept {
  if (CountIncluded(snapshot.size(), context) == 0) return kNone;
  return tables.ring.Walk(position, [&](Index i) { return !IsExcluded(context, i); });
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  if (tables.ring.size() == 0) return kNone;
  const std::uint32_t position = PositionOf(tables, request, context);
  if (tables.bound_permille != 0) return PickBounded(tables, snapshot, context, position);
  if (context.excluded.empty()) [[likely]]
    return tables.ring.Owner(position);
  return OwnerAmongIncluded(tables, snapshot, context, position);
}

std::string Hexadecimal(std::uint32_t position) {
  std::array<char, 11> text;
  std::snprintf(text.data(), text.size(), "0x%08x", position);
  return text.data();
}

// "position 0x1234abcd, next virtual node at 0x1234cdef"
std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, Index picked) {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  if (tables.ring.size() == 0) return "the ring is empty";
  const std::uint32_t position = PositionOf(tables, request, context);
  std::string why = request.has_key ? "position " : "no key, random position ";
  why +=
      Hexadecimal(position) + ", next virtual node at " + Hexadecimal(tables.ring.NodeAt(position));
  const Index owner = tables.ring.Owner(position);
  if (picked == owner) return why;
  why += " of " + snapshot.provider(owner).address + ", which is ";
  return why + (IsExcluded(context, owner) ? "excluded" : "at its bound of calls in flight");
}

}  // namespace

LoadBalance ConsistentHashStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain};
}

}  // namespace weir
