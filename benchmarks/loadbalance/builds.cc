// Build/...: a strategy's tables for a list. Rebuild/...: for a list with one provider more or less
// than the one before, of which the tables are at hand.
#include <benchmark/benchmark.h>

#include "fleet.h"

namespace weir::bench {
namespace {

Snapshot Unbuilt(std::vector<Provider> providers) {
  std::vector<std::shared_ptr<Endpoint>> endpoints(providers.size());
  for (auto& endpoint : endpoints) endpoint = std::make_shared<Endpoint>();
  return {std::move(providers), std::move(endpoints)};
}

void Build(benchmark::State& state, const Row& row) {
  const Result<ConfiguredLoadBalance> strategy = LoadBalances().Configure(row.text);
  Snapshot snapshot = Unbuilt(ProvidersOf(state.range(0), row.equal_weights));
  for (auto _ : state) strategy->BuildTables(snapshot, nullptr);
}

void Rebuild(benchmark::State& state, const Row& row) {
  const Result<ConfiguredLoadBalance> strategy = LoadBalances().Configure(row.text);
  std::vector<Provider> providers = ProvidersOf(state.range(0) + 1, row.equal_weights);
  Snapshot more = Unbuilt(providers);
  providers.erase(providers.begin() + static_cast<std::ptrdiff_t>(providers.size() / 2));
  Snapshot less = Unbuilt(std::move(providers));
  strategy->BuildTables(less, nullptr);
  bool add = false;
  for (auto _ : state) {
    add = !add;
    strategy->BuildTables(add ? more : less, add ? &less : &more);
  }
}

}  // namespace

void RegisterBuilds() {
  for (const Row& row : Rows()) {
    for (const bool again : {false, true}) {
      benchmark::RegisterBenchmark(((again ? "Rebuild/" : "Build/") + row.name).c_str(),
                                   again ? Rebuild : Build, row)
          ->Arg(10)
          ->Arg(100)
          ->Arg(1000)
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace weir::bench
