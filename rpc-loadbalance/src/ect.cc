// ect: the least expected completion time.
//
// What a call would take at a provider follows from what the provider itself reports with every
// answer (weir/endpoint.h): with N calls there, k slots and a service time s it is s if a slot is
// free, else s * (1 + (N + 1 - k) / k): the queue in front of it moves by k every s. N is the
// channel's own calls in flight, which it knows exactly, and those of others as last reported.
//
// - Many channels with few calls each know little of what the others do: their reports are old when
//   they are needed. Then a few providers are asked before the call is placed (Probe), and what
//   they say counts more than what is remembered of the rest (cf. Wydrowski et al., "Load is not
//   what you should balance: Introducing Prequal", NSDI 2024).
// - A provider that has become silent betrays itself by the age of the calls it owes.
// - One that fails is the more expensive the more it fails; after two failures in a row it gets one
//   call at a time, at times that lie the further apart the more have failed.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "arithmetic.h"
#include "exclusion.h"
#include "explain.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

// Lists up to this long are compared as a whole, of longer ones a sample.
constexpr Index kScanned = 64;
constexpr Index kSampled = 24;

constexpr double kMillisecond = 1e6;

struct Options {
  std::size_t probes = 3;             // how many to ask; 0: never
  double probe_above = kMillisecond;  // ask only if a call is worth it: its service time, ns
  // Service times that differ by less are taken for equal: they are means over few calls, and if
  // every channel ran after the one that seems fastest they would all meet there.
  double alike = 1.6;
};

Result<Options> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 3> kKeys = {"probes", "probe_above", "alike"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> probes =
      parameters.Integer("probes", static_cast<std::int64_t>(Options{}.probes), 0, kMaxProbes);
  if (!probes.ok()) return probes.status();
  const Result<std::int64_t> above =
      parameters.Time("probe_above", static_cast<std::int64_t>(Options{}.probe_above));
  if (!above.ok()) return above.status();
  const Result<double> alike = parameters.Number("alike", Options{}.alike, 1, 10);
  if (!alike.ok()) return alike.status();
  return Options{static_cast<std::size_t>(*probes), static_cast<double>(*above), *alike};
}

struct Tables {
  Options options;
  double mean_weight = 1;
  std::vector<std::uint32_t> weights;
};

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot*) {
  auto tables = std::make_shared<Tables>();
  tables->options = *Read(parameters);
  tables->weights = EffectiveWeights(snapshot.providers());
  if (snapshot.size() > 0) {
    tables->mean_weight = static_cast<double>(Sum(tables->weights)) / snapshot.size();
  }
  return tables;
}

// A provider of which nothing is known is tried by one call; further ones are in no hurry. As long
// as it can be asked instead, only one call in kTries is risked.
constexpr double kUnknown = 10e9;
constexpr std::uint64_t kTries = 64;
// Failures in a row from which a provider is on trial, and for how long after the first of them.
constexpr std::uint32_t kTrialFrom = 2;
constexpr double kFirstPause = 500 * kMillisecond;
constexpr std::uint32_t kMostDoublings = 6;
constexpr double kOnTrial = 1e12;
// What a failure costs, in calls.
constexpr double kErrorCost = 50;
constexpr double kErrorsForgiven = 0.01;
constexpr double kErrorMemory = 5e9;
// What it counts, in service times, that the slots are taken: all in all, and by our own calls.
constexpr double kPreference = 0.1;
constexpr double kOwnPreference = 0.4;
// What an old report may hide, in service times of a busy provider.
constexpr double kStaleCost = 0.3;

// What is known of one provider.
struct Knowledge {
  const Endpoint& endpoint;
  std::uint32_t own;
  LoadReport report;
  double age;  // of the report, ns

  Knowledge(const Snapshot& snapshot, Index i, std::int64_t now_ns) noexcept
      : endpoint(snapshot.endpoint(i)),
        own(snapshot.active(i)),
        report(endpoint.report()),
        age(static_cast<double>(now_ns - endpoint.reported_ns())) {}

  bool reports() const noexcept { return report.slots > 0 && report.service_100ns > 0; }
  double service() const noexcept { return report.service_ns(); }
  double there() const noexcept { return own + static_cast<double>(endpoint.others()); }
  // The calls of others may have changed since the report.
  bool IsStale() const noexcept { return endpoint.others() > 0 && age > service(); }
};

double Penalty(const Endpoint& endpoint, std::uint32_t own, std::int64_t now_ns) noexcept {
  const std::uint32_t failures = endpoint.failures();
  const double errors = endpoint.error_rate();
  if (failures == 0 && errors == 0) return 1;
  const double since = static_cast<double>(now_ns - endpoint.heard_ns());
  if (failures >= kTrialFrom) {
    const std::uint32_t doublings = std::min(failures - kTrialFrom, kMostDoublings);
    const double pause = kFirstPause * static_cast<double>(1U << doublings);
    if (own > 0 || since < pause) return kOnTrial;
    return 1;
  }
  return 1 + kErrorCost * std::max(errors - kErrorsForgiven, 0.0) * kErrorMemory /
                 (kErrorMemory + std::max(since, 0.0));
}

// Expected nanoseconds until an answer; `fastest` is the least service time of those compared.
double Cost(const Tables& tables, const Snapshot& snapshot, Index i, double fastest,
            const PickContext& context) noexcept {
  const Knowledge known(snapshot, i, context.now_ns);
  const double penalty = Penalty(known.endpoint, known.own, context.now_ns);
  if (penalty >= kOnTrial) return kOnTrial * (1.0 + known.own);
  double cost;
  if (known.reports()) {
    const double service = std::max(fastest, known.service() / tables.options.alike);
    const double slots = known.report.slots;
    const double there = known.there();
    const double queued = std::max(there + 1 - slots, 0.0);
    cost = service * (1 + queued / slots);
    // Among those with a free slot the one with the most of them, and before it one that owes us
    // nothing: should it stand still, we have yet to find out.
    cost += service * (kPreference * std::min(there / slots, 1.0) +
                       kOwnPreference * std::min(known.own / slots, 1.0));
    if (known.IsStale()) cost += service * kStaleCost * std::min(there / slots, 1.0);
  } else if (known.endpoint.latency_ns() > 0) {
    cost = known.endpoint.latency_ns() * (1.0 + known.own);
  } else {
    const bool may_be_asked = tables.options.probes > 0 && known.endpoint.reported_ns() == 0;
    const bool waits = may_be_asked && context.sequence % kTries != 0;
    cost = (known.own + (waits ? 1.0 : 0.0)) * kUnknown;
  }
  if (known.own > 0) {
    // It will take as long again as those before it have waited by now.
    const double waited = static_cast<double>(known.endpoint.waited_ns(context.now_ns)) / known.own;
    cost = std::max(cost, waited);
  }
  return cost * penalty * tables.mean_weight / tables.weights[i];
}

// Those to compare: all of a short list, a random sample of a long one.
struct Compared {
  std::array<Index, kScanned> at;
  Index count = 0;

  Compared(const Tables& tables, const PickContext& context) noexcept {
    const auto n = static_cast<Index>(tables.weights.size());
    const Index most = n <= kScanned ? n : kSampled;
    for (Index k = 0; k < most; ++k) {
      const Index i = n <= kScanned ? k : Below(NextWord(context.random, k), n);
      if (tables.weights[i] == 0 || (!context.excluded.empty() && IsExcluded(context, i))) continue;
      at[count++] = i;
    }
  }
};

// The least service time of them.
double Fastest(const Snapshot& snapshot, const Compared& compared) noexcept {
  double fastest = HUGE_VAL;
  for (Index k = 0; k < compared.count; ++k) {
    const Endpoint& endpoint = snapshot.endpoint(compared.at[k]);
    const LoadReport report = endpoint.report();
    // Who fails at once does not set the pace.
    if (report.slots > 0 && report.service_100ns > 0 && endpoint.failures() == 0 &&
        endpoint.error_rate() < 0.05F) {
      fastest = std::min(fastest, report.service_ns());
    }
  }
  return fastest;
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Compared compared(tables, context);
  const double fastest = Fastest(snapshot, compared);
  Index best = kNone;
  double least = HUGE_VAL;
  std::uint64_t ties = 0;
  for (Index k = 0; k < compared.count; ++k) {
    const double cost = Cost(tables, snapshot, compared.at[k], fastest, context);
    if (cost > least) continue;
    ties = cost < least ? 1 : ties + 1;
    if (ties > 1 && Below(NextWord(~context.random, ties), ties) != 0) continue;
    best = compared.at[k];
    least = cost;
  }
  if (best != kNone || snapshot.size() <= kScanned) return best;
  // All of the sample are excluded.
  return WeightedIncluded(tables.weights, context, NextWord(context.random, kSampled));
}

// Some at random, if one of them is not known well enough and the calls are worth it.
std::size_t Probe(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                  std::span<Index, kMaxProbes> ask) noexcept {
  const Index n = snapshot.size();
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const std::size_t wanted = std::min<std::size_t>(tables.options.probes, n);
  if (n < 2 || wanted == 0) return 0;
  std::size_t count = 0;
  bool needed = false;
  for (std::uint64_t draw = 0; draw < 4 * wanted && count < wanted; ++draw) {
    const Index i = Below(NextWord(context.random, kSampled + draw), n);
    if (tables.weights[i] == 0 || IsExcluded(context, i)) continue;
    if (std::find(ask.begin(), ask.begin() + count, i) != ask.begin() + count) continue;
    const Knowledge known(snapshot, i, context.now_ns);
    if (Penalty(known.endpoint, known.own, context.now_ns) >= kOnTrial) continue;
    ask[count++] = i;
    const double slots = known.report.slots;
    needed = needed || known.endpoint.reported_ns() == 0 ||
             (known.reports() && known.IsStale() && known.service() > tables.options.probe_above &&
              known.there() + 1 > 0.3 * slots);
  }
  return needed ? count : 0;
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  if (picked >= snapshot.size()) return kAllExcluded;
  const auto& tables = *static_cast<const Tables*>(snapshot.tables());
  const Compared compared(tables, context);
  const double fastest = Fastest(snapshot, compared);
  Index second = kNone;
  double next = HUGE_VAL;
  for (Index k = 0; k < compared.count; ++k) {
    if (compared.at[k] == picked) continue;
    const double cost = Cost(tables, snapshot, compared.at[k], fastest, context);
    if (cost >= next) continue;
    second = compared.at[k];
    next = cost;
  }
  const Knowledge known(snapshot, picked, context.now_ns);
  std::string why =
      "expected to take " + Milliseconds(Cost(tables, snapshot, picked, fastest, context));
  if (known.reports()) {
    why += " with " + std::to_string(known.own) + " calls of ours and " +
           std::to_string(static_cast<int>(known.endpoint.others())) + " of others in " +
           std::to_string(known.report.slots) + " slots at " + Milliseconds(known.service()) +
           ", as reported " + Milliseconds(known.age) + " ago";
  } else {
    why += ", of which nothing is reported yet";
  }
  if (second == kNone) return why;
  return why + "; next " + snapshot.provider(second).address + " with " + Milliseconds(next) +
         " of " + std::to_string(compared.count) + " compared";
}

}  // namespace

LoadBalance EctStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain, .probe = Probe};
}

}  // namespace weir
