#include "lab/client_model.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace weir::lab {

ClientModel::ClientModel(const ConfiguredLoadBalance& balance, std::uint32_t servers, Random random)
    : balance_(&balance), random_(random), endpoints_(servers), positions_(servers, kNone) {
  consumer_.random = random_.Next();
  sequence_ = random_.Next() >> 32;
}

ClientModel::ClientModel(ClientModel&&) noexcept = default;

ClientModel::~ClientModel() {
  if (snapshot_) snapshot_->Detach(0);
}

void ClientModel::UseList(const std::vector<ListedServer>& listed) {
  std::vector<Provider> all;
  all.reserve(listed.size());
  for (const ListedServer& each : listed) all.push_back(each.provider);
  std::vector<std::uint32_t> chosen;
  if (balance_->narrows()) {
    for (const Index i : balance_->Select(all, consumer_)) chosen.push_back(i);
  } else {
    for (std::uint32_t i = 0; i < all.size(); ++i) chosen.push_back(i);
  }
  std::vector<Provider> providers;
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  std::vector<std::uint32_t> servers;
  for (const std::uint32_t i : chosen) {
    std::shared_ptr<Endpoint>& endpoint = endpoints_[listed[i].server];
    if (!endpoint) endpoint = std::make_shared<Endpoint>();
    endpoint->set_started_ns(listed[i].started);
    providers.push_back(listed[i].provider);
    endpoints.push_back(endpoint);
    servers.push_back(listed[i].server);
  }
  auto next = std::make_unique<Snapshot>(std::move(providers), std::move(endpoints));
  balance_->BuildTables(*next, snapshot_.get());
  if (snapshot_) snapshot_->Detach(0);
  next->Attach(0);
  snapshot_ = std::move(next);
  servers_ = std::move(servers);
  std::fill(positions_.begin(), positions_.end(), kNone);
  for (Index i = 0; i < servers_.size(); ++i) positions_[servers_[i]] = i;
}

PickContext ClientModel::NextContext(Nanos now) noexcept {
  return {.sequence = sequence_++, .random = random_.Next(), .now_ns = now};
}

void ClientModel::Exclude(std::span<const std::uint32_t> tried) {
  excluded_.clear();
  const auto add = [&](std::uint32_t server) {
    const Index i = positions_[server];
    if (i != kNone && std::find(excluded_.begin(), excluded_.end(), i) == excluded_.end()) {
      excluded_.push_back(i);
    }
  };
  for (const std::uint32_t server : unreachable_) add(server);
  for (const std::uint32_t server : tried) add(server);
}

std::size_t ClientModel::Probe(const RequestView& request, const PickContext& context,
                               std::span<std::uint32_t, kMaxProbes> servers) {
  if (balance_->strategy.probe == nullptr) return 0;
  Exclude({});
  PickContext whole = context;
  whole.excluded = excluded_;
  std::array<Index, kMaxProbes> asked;
  const std::size_t count = balance_->strategy.probe(request, *snapshot_, whole, asked);
  for (std::size_t i = 0; i < count; ++i) servers[i] = servers_[asked[i]];
  return count;
}

std::uint32_t ClientModel::Pick(const RequestView& request, PickContext context,
                                std::span<const std::uint32_t> tried) {
  Index picked = kNone;
  if (!unreachable_.empty() || !tried.empty()) {
    Exclude(tried);
    context.excluded = excluded_;
    picked = balance_->Pick(request, *snapshot_, context);
    if (picked == kNone && !tried.empty()) {  // as a channel does: rather again than not at all
      Exclude({});
      context.excluded = excluded_;
      picked = balance_->Pick(request, *snapshot_, context);
    }
  } else {
    picked = balance_->Pick(request, *snapshot_, context);
  }
  return picked == kNone ? kNoServer : servers_[picked];
}

void ClientModel::SetReachable(std::uint32_t server, bool reachable) {
  const auto found = std::find(unreachable_.begin(), unreachable_.end(), server);
  if (reachable && found != unreachable_.end()) unreachable_.erase(found);
  if (!reachable && found == unreachable_.end()) unreachable_.push_back(server);
}

bool IsKeyed(const ConfiguredLoadBalance& balance) {
  constexpr std::uint32_t kServers = 16;
  constexpr int kKeys = 32;
  std::vector<ListedServer> listed;
  for (std::uint32_t i = 0; i < kServers; ++i) {
    listed.push_back({i, {.address = "10.0.0." + std::to_string(100 + i) + ":1"}, 0});
  }
  ClientModel client(balance, kServers, Random(1, 1));
  client.UseList(listed);
  bool differs = false;
  std::uint32_t first = kNoServer;
  for (int k = 0; k < kKeys; ++k) {
    const std::string key = "key-" + std::to_string(k);
    const RequestView request = {.key = key, .key_hash = HashKey(key), .has_key = true};
    const std::uint32_t owner = client.Pick(request, client.NextContext(1), {});
    if (owner != client.Pick(request, client.NextContext(1), {})) return false;
    if (k == 0) first = owner;
    differs = differs || owner != first;
  }
  return differs;
}

}  // namespace weir::lab
