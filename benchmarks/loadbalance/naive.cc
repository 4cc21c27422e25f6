// Naive/...: the forms one would write first, named after the strategies they stand beside.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <random>

#include "fleet.h"
#include "weir/loadbalance/fnv.h"

namespace weir::bench {
namespace {

// A generator of the standard library, shared by nobody.
void Random(benchmark::State& state) {
  std::mt19937_64 random(static_cast<std::uint64_t>(state.thread_index()));
  std::uniform_int_distribution<std::int64_t> choose(0, state.range(0) - 1);
  for (auto _ : state) benchmark::DoNotOptimize(choose(random));
}

// Subtract weights until the drawn number is used up.
void WeightedRandom(benchmark::State& state) {
  const std::vector<Provider> providers = ProvidersOf(state.range(0), false);
  std::uint64_t sum = 0;
  for (const Provider& provider : providers) sum += static_cast<std::uint64_t>(provider.weight);
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    auto left = static_cast<std::int64_t>(words[call++] % sum);
    std::size_t i = 0;
    while ((left -= providers[i].weight) >= 0) ++i;
    benchmark::DoNotOptimize(i);
  }
}

// One counter for all threads.
void RoundRobin(benchmark::State& state) {
  static std::atomic<std::uint64_t> next{0};
  const auto n = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(next.fetch_add(1) % n);
}

// Smooth weighted round robin: everybody earns its weight, the richest is picked and pays the sum.
void RoundRobinWeighted(benchmark::State& state) {
  const std::vector<Provider> providers = ProvidersOf(state.range(0), false);
  std::vector<std::int64_t> earned(providers.size(), 0);
  std::int64_t sum = 0;
  for (const Provider& provider : providers) sum += provider.weight;
  for (auto _ : state) {
    std::size_t richest = 0;
    for (std::size_t i = 0; i < providers.size(); ++i) {
      earned[i] += providers[i].weight;
      if (earned[i] > earned[richest]) richest = i;
    }
    earned[richest] -= sum;
    benchmark::DoNotOptimize(richest);
  }
}

// An atomic count in each endpoint, looked at one after the other; the first of the least.
void LeastActive(benchmark::State& state) {
  std::vector<std::unique_ptr<std::atomic<std::uint32_t>>> active;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    active.push_back(std::make_unique<std::atomic<std::uint32_t>>(1 + i * 7919 % 4));
  }
  for (auto _ : state) {
    std::size_t least = 0;
    for (std::size_t i = 1; i < active.size(); ++i) {
      if (active[i]->load() < active[least]->load()) least = i;
    }
    benchmark::DoNotOptimize(least);
  }
}

// Two at random; a mean that fades by e^-t.
void TwoChoicesEwma(benchmark::State& state) {
  struct Seen {
    double mean_ns = 1e6;
    std::int64_t at_ns = kNow;
    std::atomic<std::uint32_t> active{1};
  };
  std::vector<Seen> seen(static_cast<std::size_t>(state.range(0)));
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const std::uint64_t word = words[call];
    const std::int64_t now = kNow + static_cast<std::int64_t>(call++);
    const auto cost = [&](const Seen& each) {
      const double faded = each.mean_ns * std::exp(static_cast<double>(each.at_ns - now) / 1e9);
      return faded * (each.active.load() + 1.0);
    };
    const std::size_t a = (word >> 32) % seen.size();
    const std::size_t b = (word & 0xffffffff) % seen.size();
    benchmark::DoNotOptimize(cost(seen[b]) < cost(seen[a]) ? b : a);
  }
}

using Point = std::pair<std::uint32_t, Index>;

std::vector<Point> Points(const std::vector<Provider>& providers) {
  std::vector<Point> points;
  for (Index i = 0; i < providers.size(); ++i) {
    for (int v = 0; v < 160; ++v) {
      points.emplace_back(FnvPosition(std::to_string(v) + "#" + providers[i].address), i);
    }
  }
  return points;
}

// A tree of positions, 160 for each provider.
void ConsistentHash(benchmark::State& state) {
  const std::vector<Point> points = Points(ProvidersOf(state.range(0), true));
  const std::map<std::uint32_t, Index> ring(points.begin(), points.end());
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const auto found = ring.lower_bound(static_cast<std::uint32_t>(words[call++] >> 32));
    benchmark::DoNotOptimize(found == ring.end() ? ring.begin()->second : found->second);
  }
}

void ConsistentHashLowerBound(benchmark::State& state) {
  std::vector<Point> ring = Points(ProvidersOf(state.range(0), true));
  std::sort(ring.begin(), ring.end());
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const Point wanted(static_cast<std::uint32_t>(words[call++] >> 32), 0);
    const auto found = std::lower_bound(ring.begin(), ring.end(), wanted);
    benchmark::DoNotOptimize(found == ring.end() ? ring.front().second : found->second);
  }
}

void BuildConsistentHash(benchmark::State& state) {
  const std::vector<Provider> providers = ProvidersOf(state.range(0), true);
  for (auto _ : state) {
    const std::vector<Point> points = Points(providers);
    benchmark::DoNotOptimize(std::map<std::uint32_t, Index>(points.begin(), points.end()));
  }
}

}  // namespace

void RegisterNaive() {
  const struct {
    const char* name;
    void (*function)(benchmark::State&);
  } forms[] = {{"Naive/random", Random},
               {"Naive/weighted_random", WeightedRandom},
               {"Naive/round_robin", RoundRobin},
               {"Naive/round_robin_weighted", RoundRobinWeighted},
               {"Naive/least_active", LeastActive},
               {"Naive/p2c_ewma", TwoChoicesEwma},
               {"Naive/consistent_hash", ConsistentHash},
               {"Naive/consistent_hash_lower_bound", ConsistentHashLowerBound}};
  for (const auto& [name, function] : forms) {
    benchmark::RegisterBenchmark(name, function)->Arg(10)->Arg(100)->Arg(1000);
  }
  // Where threads get in each other's way.
  benchmark::RegisterBenchmark("Naive/round_robin", RoundRobin)->Arg(10)->Threads(2);
  benchmark::RegisterBenchmark("Naive/Build/consistent_hash", BuildConsistentHash)
      ->Arg(10)
      ->Arg(100)
      ->Arg(1000)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace weir::bench
