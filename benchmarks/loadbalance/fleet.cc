#include "fleet.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <tuple>

namespace weir::bench {
namespace {

Snapshot SnapshotOf(std::vector<Provider> providers, std::uint32_t cells) {
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    endpoints.push_back(std::make_shared<Endpoint>(cells));
  }
  return {std::move(providers), std::move(endpoints), cells};
}

}  // namespace

std::vector<Provider> ProvidersOf(std::int64_t count, bool equal_weights) {
  std::vector<Provider> providers;
  for (std::int64_t i = 0; i < count; ++i) {
    providers.push_back(
        {"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":20880",
         equal_weights ? kDefaultWeight : static_cast<std::int32_t>(1 + i % 10)});
  }
  std::sort(providers.begin(), providers.end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  return providers;
}

Fleet::Fleet(const std::string& text, std::int64_t count, bool equal_weights, std::uint32_t cells)
    : strategy(*LoadBalances().Configure(text)),
      snapshot(SnapshotOf(ProvidersOf(count, equal_weights), cells)) {
  for (std::uint32_t cell = 0; cell < cells; ++cell) snapshot.Attach(cell);
  std::mt19937_64 random(1);
  for (Index i = 0; i < snapshot.size(); ++i) {
    Endpoint& endpoint = snapshot.endpoint(i);
    const std::int64_t took = 1'000'000 + static_cast<std::int64_t>(random() % 4'000'000);
    endpoint.OnStart(0, kNow - 2 * took);
    endpoint.OnEnd(0, kNow - 2 * took, kNow - took, Outcome::kAnswered);
    endpoint.OnReport({.in_flight = static_cast<std::uint16_t>(random() % 4),
                       .slots = 4,
                       .service_100ns = static_cast<std::uint32_t>(took / 100)},
                      kNow - took);
    for (std::uint64_t calls = random() % 4; calls-- > 0;) {
      endpoint.OnStart(static_cast<std::uint32_t>(calls % cells), kNow - took / 2);
    }
  }
  strategy.BuildTables(snapshot, nullptr);
}

const Fleet& FleetOf(const std::string& text, std::int64_t count, bool equal_weights,
                     std::uint32_t cells) {
  static std::mutex mutex;
  static std::map<std::tuple<std::string, std::int64_t, bool, std::uint32_t>,
                  std::unique_ptr<Fleet>>
      fleets;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Fleet>& fleet = fleets[{text, count, equal_weights, cells}];
  if (fleet == nullptr) fleet = std::make_unique<Fleet>(text, count, equal_weights, cells);
  return *fleet;
}

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> made;
    for (const std::string& name : LoadBalances().Names()) {
      made.push_back({name, name, name != "weighted_random"});
    }
    made.push_back({"round_robin_weighted", "round_robin", false});
    made.push_back({"least_active_weighted", "least_active", false});
    made.push_back({"consistent_hash_weighted", "consistent_hash", false});
    made.push_back({"consistent_hash_bound", "consistent_hash:bound=1.25", true});
    return made;
  }();
  return rows;
}

Words::Words() {
  std::mt19937_64 random(1);
  for (std::uint64_t& word : words_) word = random();
}

}  // namespace weir::bench
