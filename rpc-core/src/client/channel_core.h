// ChannelCore: what a Channel and the stubs made from it share.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "client/client_shard.h"
#include "client/live_links.h"
#include "client/route.h"
#include "runtime/runtime_core.h"
#include "weir/channel.h"
#include "weir/load_balance.h"
#include "weir/registry.h"

namespace weir::detail {

// Thread-safe.
class ChannelCore : public std::enable_shared_from_this<ChannelCore> {
 public:
  ChannelCore(std::string_view registry_url, ChannelOptions options);
  ~ChannelCore();
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;

  const Status& status() const noexcept { return status_; }
  const ChannelOptions& options() const noexcept { return options_; }
  const std::string& registry_url() const noexcept { return registry_url_; }
  RuntimeCore& runtime() noexcept { return runtime_->core(); }
  Registry* registry() noexcept { return registry_.get(); }
  const ConfiguredLoadBalance& load_balance() const noexcept { return load_balance_; }
  ClientShard& shard(std::uint32_t reactor) noexcept { return *shards_[reactor]; }
  const LiveLinks& live() const noexcept { return live_; }

  // The route to a service, made if there is none; it keeps this core alive. `methods`: how many
  // the service has, for a stub; 0 for who makes no calls.
  std::shared_ptr<Route> RouteTo(std::string_view service, std::uint32_t methods);
  // Fails everything that runs with CANCELLED and whatever comes after. Idempotent.
  void Close();

 private:
  Status Open(std::string_view registry_url);

  ChannelOptions options_;
  std::string registry_url_;
  Status status_;
  std::shared_ptr<Runtime> runtime_;
  std::shared_ptr<Registry> registry_;
  ConfiguredLoadBalance load_balance_;
  LiveLinks live_;
  std::vector<std::unique_ptr<ClientShard>> shards_;

  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Route>, std::less<>> routes_;
  std::uint32_t next_method_ = 1;
  bool closed_ = false;
};

}  // namespace weir::detail
