// Provider lists, snapshots and picks for the tests of the strategies.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

inline constexpr std::uint64_t kSeed = 20240607;  // every random test starts here

// 10.0.0.1:20880, 10.0.0.2:20880, ...; in groups of 250 per third number.
inline std::string AddressOf(std::size_t i) {
  return "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":20880";
}

inline std::vector<Provider> Providers(const std::vector<std::int32_t>& weights) {
  std::vector<Provider> providers;
  for (std::size_t i = 0; i < weights.size(); ++i) providers.push_back({AddressOf(i), weights[i]});
  return providers;
}

inline std::vector<Provider> EqualProviders(std::size_t count) {
  return Providers(std::vector<std::int32_t>(count, kDefaultWeight));
}

inline Snapshot MakeSnapshot(std::vector<Provider> providers, std::uint32_t cells = 1) {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    endpoints.push_back(std::make_shared<Endpoint>(cells));
  }
  return {std::move(providers), std::move(endpoints), cells};
}

// Makes the calls in flight to provider i so many, as far as `cell` counts them.
inline void SetActive(const Snapshot& snapshot, Index i, std::uint32_t active,
                      std::uint32_t cell = 0) {
  Endpoint& endpoint = snapshot.endpoint(i);
  while (endpoint.active() < active) endpoint.OnStart(cell, 0);
  while (endpoint.active() > active) endpoint.OnEnd(cell, 0, 0, Outcome::kAbandoned);
}

// A strategy with a snapshot that has its tables.
class Balanced {
 public:
  explicit Balanced(std::string_view text, std::vector<Provider> providers, std::uint32_t cells = 1)
      : snapshot_(MakeSnapshot(std::move(providers), cells)) {
    for (std::uint32_t cell = 0; cell < cells; ++cell) snapshot_.Attach(cell);
    Result<ConfiguredLoadBalance> configured = LoadBalances().Configure(text);
    if (!configured.ok()) {
      ADD_FAILURE() << configured.status().ToString();
      return;
    }
    strategy_ = *std::move(configured);
    strategy_.BuildTables(snapshot_, nullptr);
  }

  Index Pick(const PickContext& context, const RequestView& request = {}) const {
    return strategy_.Pick(request, snapshot_, context);
  }
  Index PickKey(std::string_view key, std::span<const Index> excluded = {}) const {
    return Pick({.excluded = excluded}, {.key = key, .key_hash = HashKey(key), .has_key = true});
  }
  // `calls` picks with words of a generator seeded with kSeed and consecutive sequence numbers.
  std::vector<int> Count(int calls, std::span<const Index> excluded = {}) const {
    std::mt19937_64 words(kSeed);
    std::vector<int> counts(snapshot_.size(), 0);
    for (int call = 0; call < calls; ++call) {
      const Index i = Pick(
          {.sequence = static_cast<std::uint64_t>(call), .random = words(), .excluded = excluded});
      if (i >= counts.size()) {
        ADD_FAILURE() << "call " << call << " was given provider " << i << " of " << counts.size();
        return counts;
      }
      ++counts[i];
    }
    return counts;
  }

  const Snapshot& snapshot() const { return snapshot_; }
  void SetActive(Index i, std::uint32_t active) const { weir::SetActive(snapshot_, i, active); }
  std::string Explain(const PickContext& context, const RequestView& request = {}) const {
    return strategy_.Explain(request, snapshot_, context);
  }

 private:
  ConfiguredLoadBalance strategy_;
  Snapshot snapshot_;
};

inline const std::vector<std::string> kTheFive = {"consistent_hash", "least_active", "random",
                                                  "round_robin", "weighted_random"};

// Pearson's statistic of `counts` against `weights`.
inline double ChiSquare(const std::vector<int>& counts, const std::vector<std::int32_t>& weights) {
  const double calls = std::accumulate(counts.begin(), counts.end(), 0.0);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double statistic = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = calls * weights[i] / sum;
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return statistic;
}

// What every strategy must do is tested of these.
inline const std::vector<std::string> kEveryStrategy = {
    "random",
    "weighted_random",
    "round_robin",
    "least_active",
    "consistent_hash",
    "consistent_hash:hash=xxh64",
    "consistent_hash:hash=seed",
    "consistent_hash:bound=1.25",
    "first",
    "p2c",
    "p2c_ewma",
    "shortest_response",
    "maglev",
    "maglev:size=1009",
    "rendezvous",
    "jump",
    "ketama",
    "ect",
};

}  // namespace weir
