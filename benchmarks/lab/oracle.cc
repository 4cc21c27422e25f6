#include "lab/oracle.h"

#include <functional>
#include <queue>
#include <utility>

#include "lab/client_model.h"

namespace weir::lab {

std::uint32_t Oracle::Pick(const std::vector<ServerModel>& servers, Nanos now) {
  std::uint32_t best = kNoServer;
  double least = 0;
  std::uint32_t ties = 0;
  for (std::uint32_t i = 0; i < servers.size(); ++i) {
    const ServerModel& server = servers[i];
    if (!server.running() || !server.listed()) continue;
    const double work = mean_work_ns_ / server.speed();
    const std::uint32_t slots = server.group().slots;
    double time = work;
    if (server.assigned >= slots) time += work * (server.assigned - slots + 1) / slots;
    if (server.paused()) time += static_cast<double>(server.paused_until() - now);
    if (server.failing(now)) time += server.group().fail * static_cast<double>(deadline_);
    if (best != kNoServer && time > least) continue;
    ties = best != kNoServer && time == least ? ties + 1 : 1;
    if (ties > 1 && random_.Below(ties) != 0) continue;
    best = i;
    least = time;
  }
  return best;
}

KeyedOracle::KeyedOracle(std::vector<double> popularity, std::vector<double> capacity)
    : popularity_(std::move(popularity)),
      capacity_(std::move(capacity)),
      owners_(popularity_.size(), kNoServer),
      loads_(capacity_.size(), 0),
      listed_(capacity_.size(), false) {}

void KeyedOracle::UseList(const std::vector<std::uint32_t>& servers) {
  std::vector<bool> listed(capacity_.size(), false);
  double capacity = 0;
  double load = 0;
  for (const std::uint32_t server : servers) {
    listed[server] = true;
    capacity += capacity_[server];
  }
  for (const double part : popularity_) load += part;
  if (servers.empty()) return;

  // What came takes keys from those that have more than their share, up to its own.
  const bool first = owners_.empty() || owners_.front() == kNoServer;
  for (const std::uint32_t server : servers) {
    if (listed_[server] || first) continue;
    for (std::uint32_t key = 0; key < owners_.size(); ++key) {
      const std::uint32_t owner = owners_[key];
      const double part = popularity_[key];
      if (!listed[owner] || loads_[owner] <= load * capacity_[owner] / capacity ||
          loads_[server] + part > load * capacity_[server] / capacity) {
        continue;
      }
      loads_[owner] -= part;
      loads_[server] += part;
      owners_[key] = server;
    }
  }
  // The keys of those that left go to whoever has the least load for its capacity.
  using Load = std::pair<double, std::uint32_t>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> lightest;
  for (const std::uint32_t server : servers)
    lightest.push({loads_[server] / capacity_[server], server});
  for (std::uint32_t key = 0; key < owners_.size(); ++key) {
    if (owners_[key] != kNoServer && listed[owners_[key]]) continue;
    const std::uint32_t server = lightest.top().second;
    lightest.pop();
    owners_[key] = server;
    loads_[server] += popularity_[key];
    lightest.push({loads_[server] / capacity_[server], server});
  }
  for (std::uint32_t i = 0; i < loads_.size(); ++i) {
    if (!listed[i]) loads_[i] = 0;
  }
  listed_ = std::move(listed);
}

}  // namespace weir::lab
