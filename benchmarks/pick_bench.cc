// What a pick costs: the strategies of weir::loadbalance at 10, 100 and 1000 providers, beside the
// forms one would write first, in the same run.
//   pick-bench --benchmark_filter='weighted_random'
#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "weir/load_balance.h"
#include "weir/loadbalance/fnv.h"

namespace {

using weir::Index;

// Weights 1 to 10 in turn; addresses of a small data centre.
weir::Snapshot MakeSnapshot(std::int64_t n, bool equal_weights) {
  std::vector<weir::Provider> providers;
  std::vector<std::shared_ptr<weir::Endpoint>> endpoints;
  for (std::int64_t i = 0; i < n; ++i) {
    providers.push_back(
        {"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":20880",
         equal_weights ? weir::kDefaultWeight : static_cast<std::int32_t>(1 + i % 10)});
    endpoints.push_back(std::make_shared<weir::Endpoint>());
  }
  return {std::move(providers), std::move(endpoints)};
}

// Inputs made in advance, so that only the pick is timed.
struct Inputs {
  Inputs() {
    std::mt19937_64 words(1);
    for (std::size_t i = 0; i < kCount; ++i) random[i] = words();
  }
  static constexpr std::size_t kCount = 4096;
  std::uint64_t random[kCount];
};

void Pick(benchmark::State& state, const std::string& text, bool equal_weights) {
  weir::Snapshot snapshot = MakeSnapshot(state.range(0), equal_weights);
  const weir::Result<weir::ConfiguredLoadBalance> configured = weir::LoadBalances().Configure(text);
  if (!configured.ok()) return state.SkipWithError(configured.status().ToString().c_str());
  configured->BuildTables(snapshot, nullptr);
  const auto pick = configured->strategy.pick;
  const Inputs inputs;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const std::uint64_t word = inputs.random[call % Inputs::kCount];
    benchmark::DoNotOptimize(
        pick({.key_hash = word, .has_key = true}, snapshot, {.sequence = call, .random = word}));
    ++call;
  }
}

void Build(benchmark::State& state, const std::string& text, bool equal_weights) {
  weir::Snapshot snapshot = MakeSnapshot(state.range(0), equal_weights);
  const weir::Result<weir::ConfiguredLoadBalance> configured = weir::LoadBalances().Configure(text);
  if (!configured.ok()) return state.SkipWithError(configured.status().ToString().c_str());
  for (auto _ : state) configured->BuildTables(snapshot, nullptr);
}

// Subtract weights until the drawn number is used up.
void NaiveWeightedRandom(benchmark::State& state) {
  const weir::Snapshot snapshot = MakeSnapshot(state.range(0), false);
  std::uint64_t sum = 0;
  for (const weir::Provider& p : snapshot.providers()) sum += static_cast<std::uint64_t>(p.weight);
  const Inputs inputs;
  std::uint64_t call = 0;
  for (auto _ : state) {
    auto left = static_cast<std::int64_t>(inputs.random[call++ % Inputs::kCount] % sum);
    Index i = 0;
    while ((left -= snapshot.provider(i).weight) >= 0) ++i;
    benchmark::DoNotOptimize(i);
  }
}

// Smooth weighted round robin: everybody earns its weight, the richest is picked and pays the sum.
void NaiveRoundRobin(benchmark::State& state) {
  const weir::Snapshot snapshot = MakeSnapshot(state.range(0), false);
  std::vector<std::int64_t> earned(snapshot.size(), 0);
  std::int64_t sum = 0;
  for (const weir::Provider& p : snapshot.providers()) sum += p.weight;
  for (auto _ : state) {
    Index richest = 0;
    for (Index i = 0; i < snapshot.size(); ++i) {
      earned[i] += snapshot.provider(i).weight;
      if (earned[i] > earned[richest]) richest = i;
    }
    earned[richest] -= sum;
    benchmark::DoNotOptimize(richest);
  }
}

void NaiveLeastActive(benchmark::State& state) {
  const weir::Snapshot snapshot = MakeSnapshot(state.range(0), true);
  for (auto _ : state) {
    Index least = 0;
    for (Index i = 1; i < snapshot.size(); ++i) {
      if (snapshot.active(i) < snapshot.active(least)) {
        least = i;
      }
    }
    benchmark::DoNotOptimize(least);
  }
}

// A tree of positions, 160 for each provider.
void NaiveConsistentHash(benchmark::State& state) {
  const weir::Snapshot snapshot = MakeSnapshot(state.range(0), true);
  std::map<std::uint32_t, Index> ring;
  for (Index i = 0; i < snapshot.size(); ++i) {
    for (int v = 0; v < 160; ++v) {
      ring.emplace(weir::FnvPosition(std::to_string(v) + "#" + snapshot.provider(i).address), i);
    }
  }
  const Inputs inputs;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const auto position = static_cast<std::uint32_t>(inputs.random[call++ % Inputs::kCount] >> 32);
    const auto found = ring.lower_bound(position);
    benchmark::DoNotOptimize(found == ring.end() ? ring.begin()->second : found->second);
  }
}

void Register() {
  const auto at_all_sizes = [](benchmark::internal::Benchmark* each) {
    return each->Arg(10)->Arg(100)->Arg(1000);
  };
  const struct {
    const char* name;
    const char* text;
    bool equal_weights;
  } strategies[] = {{"random", "random", true},
                    {"weighted_random", "weighted_random", false},
                    {"round_robin", "round_robin", true},
                    {"round_robin_weighted", "round_robin", false},
                    {"least_active", "least_active", true},
                    {"least_active_weighted", "least_active", false},
                    {"consistent_hash", "consistent_hash", true},
                    {"consistent_hash_bound", "consistent_hash:bound=1.25", true}};
  for (const auto& [name, text, equal] : strategies) {
    at_all_sizes(benchmark::RegisterBenchmark((std::string("Pick/") + name).c_str(), Pick,
                                              std::string(text), equal));
  }
  at_all_sizes(benchmark::RegisterBenchmark("Naive/weighted_random", NaiveWeightedRandom));
  at_all_sizes(benchmark::RegisterBenchmark("Naive/round_robin_weighted", NaiveRoundRobin));
  at_all_sizes(benchmark::RegisterBenchmark("Naive/least_active", NaiveLeastActive));
  at_all_sizes(benchmark::RegisterBenchmark("Naive/consistent_hash", NaiveConsistentHash));
  for (const auto& [name, text, equal] : strategies) {
    at_all_sizes(benchmark::RegisterBenchmark((std::string("Build/") + name).c_str(), Build,
                                              std::string(text), equal))
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Register();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
