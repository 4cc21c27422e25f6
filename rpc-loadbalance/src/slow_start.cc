// slow_start(window=30s,min=10,by=call): a provider that has just started gets a growing part of
// what it would get: age / window, at least `min` percent. Refused calls go where the strategy
// sends them without it.
//
// A provider that starts has cold caches, unopened connections and unloaded code. Envoy and nginx
// scale the weight for that time; here a part of the answers is refused, which works for every
// strategy. For strategies that look at load that would not do: an idle newcomer would be picked
// again and again. So its calls in flight are held to the same part of its share, plus about what
// chance makes of that (a standard deviation of a Poisson distribution, and one).
//
// by=key, for consistent hashing and its like, lets each key move to the newcomer once, at a time
// of its own, instead of sending a part of each key's calls there.
#include <array>
#include <cmath>

#include "decorators.h"
#include "fair_share.h"
#include "refusals.h"
#include "weights.h"

namespace weir {
namespace {

// So many newcomers are refused; the next is taken. When a whole fleet starts at once nobody gains
// by refusing.
constexpr int kMostRefused = 8;
constexpr std::uint64_t kOwnWords = 0xbb67ae8584caa73b;
constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;

struct Options {
  std::int64_t window_ns;
  std::uint64_t least;  // of kWhole
  bool by_key;
};

struct Tables {
  Options options;
  std::vector<std::uint32_t> weights;
  std::vector<std::uint64_t> hashes;  // of the addresses, for by=key
};

Result<Options> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 3> kKeys = {"window", "min", "by"};
  static constexpr std::array<std::string_view, 2> kBy = {"call", "key"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> window = parameters.Time("window", 30'000'000'000);
  if (!window.ok()) return window.status();
  const Result<std::int64_t> min = parameters.Integer("min", 10, 0, 100);
  if (!min.ok()) return min.status();
  const Result<std::size_t> by = parameters.OneOf("by", 0, kBy);
  if (!by.ok()) return by.status();
  return Options{*window, static_cast<std::uint64_t>(*min) * kWhole / 100, *by == 1};
}

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters) {
  auto tables = std::make_shared<Tables>();
  tables->options = *Read(parameters);
  tables->weights = EffectiveWeights(snapshot.providers());
  for (const Provider& provider : snapshot.providers()) {
    tables->hashes.push_back(HashKey(provider.address));
  }
  return tables;
}

std::int64_t AgeOf(const Snapshot& snapshot, const PickContext& context, Index i) noexcept {
  return context.now_ns - snapshot.endpoint(i).started_ns();
}

// Of what provider i would get, in parts of kWhole.
std::uint64_t PartOf(const Options& options, const Snapshot& snapshot, const PickContext& context,
                     Index i) noexcept {
  if (snapshot.endpoint(i).started_ns() == 0) return kWhole;
  const std::int64_t age = AgeOf(snapshot, context, i);
  if (age >= options.window_ns) return kWhole;
  const auto part = static_cast<std::uint64_t>(static_cast<Wide>(age < 0 ? 0 : age) * kWhole /
                                               static_cast<Wide>(options.window_ns));
  return part < options.least ? options.least : part;
}

// Whether a newcomer has as many calls in flight as its part allows.
bool IsBusy(const Tables& tables, const Snapshot& snapshot, const PickContext& context, Index i,
            std::uint64_t part) noexcept {
  const std::uint32_t active = snapshot.active(i);
  if (active == 0) return false;
  const Together all(tables.weights, snapshot, context);
  const double share = static_cast<double>(all.calls) * tables.weights[i] /
                       static_cast<double>(all.weight == 0 ? 1 : all.weight);
  const double expected = share * static_cast<double>(part) / static_cast<double>(kWhole);
  return active >= expected + std::sqrt(expected) + 1;
}

bool Takes(const Tables& tables, const RequestView& request, const Snapshot& snapshot,
           const PickContext& context, Index i) noexcept {
  const std::uint64_t part = PartOf(tables.options, snapshot, context, i);
  if (part == kWhole) return true;
  if (tables.options.by_key && request.has_key) {
    return NextWord(request.key_hash ^ tables.hashes[i] ^ kOwnWords, 0) >> 32 < part;
  }
  return NextWord(context.random ^ kOwnWords, i) >> 32 < part &&
         !IsBusy(tables, snapshot, context, i, part);
}

// What happened on the way to an answer.
struct Trace {
  Index first = kNone;  // that was refused
  int refused = 0;
};

Index Decide(const RequestView& request, const Snapshot& snapshot, const PickContext& context,
             const Layer& layer, Trace& trace) noexcept {
  Index picked = layer.PickInner(request, snapshot, context);
  const auto& tables = *static_cast<const Tables*>(layer.tables.get());
  if (picked >= snapshot.size() || Takes(tables, request, snapshot, context, picked)) return picked;
  trace.first = picked;
  Refusals refusals(context);
  while (trace.refused < kMostRefused && refusals.Add(picked)) {
    ++trace.refused;
    const Index next = layer.PickInner(request, snapshot, refusals.context());
    if (next >= snapshot.size()) return trace.first;  // nobody else is left
    picked = next;
    if (Takes(tables, request, snapshot, context, picked)) return picked;
  }
  return picked;
}

Index Pick(const RequestView& request, const Snapshot& snapshot, const PickContext& context,
           const Layer& layer) noexcept {
  Trace trace;
  return Decide(request, snapshot, context, layer, trace);
}

std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, const Layer& layer, Index picked) {
  const auto& tables = *static_cast<const Tables*>(layer.tables.get());
  const auto newcomer = [&](Index i) {
    const std::uint64_t part = PartOf(tables.options, snapshot, context, i);
    return snapshot.provider(i).address + ", which started " +
           std::to_string(AgeOf(snapshot, context, i) / 1'000'000) + " ms ago and gets " +
           std::to_string(part * 100 / kWhole) + " % of its share";
  };
  Trace trace;
  Decide(request, snapshot, context, layer, trace);
  if (trace.refused > 0 && trace.first != picked) {
    const int others = trace.refused - 1;
    return "passed over " + newcomer(trace.first) +
           (others > 0 ? ", and " + std::to_string(others) + " more" : "");
  }
  if (picked >= snapshot.size()) return {};
  if (PartOf(tables.options, snapshot, context, picked) == kWhole) return {};
  return "took " + newcomer(picked);
}

}  // namespace

Decorator SlowStartDecorator() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain};
}

}  // namespace weir
