#include "weir/channel.h"

#include <random>
#include <utility>

#include "client/channel_core.h"
#include "transport/socket.h"
#include "weir/stub.h"

namespace weir {
namespace detail {
namespace {

Status Check(const OutlierEjection& options) {
  const auto refuse = [](const std::string& why) {
    return InvalidArgument("outlier_ejection." + why);
  };
  if (!(options.error_rate >= 0 && options.error_rate <= 1)) {
    return refuse("error_rate " + std::to_string(options.error_rate) + " is not between 0 and 1");
  }
  if (!(options.jitter >= 0 && options.jitter < 1)) {
    return refuse("jitter " + std::to_string(options.jitter) + " is not between 0 and 1");
  }
  if (options.interval.count() <= 0) return refuse("interval must be above 0");
  if (options.silence.count() < 0) return refuse("silence is below 0");
  if (options.base_time.count() <= 0) return refuse("base_time must be above 0");
  if (options.max_time < options.base_time) return refuse("max_time is below base_time");
  if (options.max_ejected_percent > 100) return refuse("max_ejected_percent is above 100");
  if (options.panic_threshold_percent > 100) return refuse("panic_threshold_percent is above 100");
  return {};
}

}  // namespace

ChannelCore::ChannelCore(std::string_view registry_url, ChannelOptions options)
    : options_(std::move(options)), registry_url_(registry_url) {
  runtime_ =
      options_.runtime ? std::move(options_.runtime) : std::make_shared<Runtime>(options_.threads);
  options_.runtime.reset();
  std::random_device entropy;
  for (std::uint32_t i = 0; i < runtime().size(); ++i) {
    const std::uint64_t seed = (std::uint64_t{entropy()} << 32) | entropy();
    shards_.push_back(std::make_unique<ClientShard>(runtime().reactor(i), options_, live_, seed));
  }
  status_ = Open(registry_url);
}

Status ChannelCore::Open(std::string_view registry_url) {
  if (options_.timeout.count() <= 0) return InvalidArgument("timeout must be above 0");
  if (options_.max_attempts == 0) return InvalidArgument("max_attempts must be above 0");
  if (options_.connections_per_provider < 1 || options_.connections_per_provider > 64) {
    return InvalidArgument("connections_per_provider " +
                           std::to_string(options_.connections_per_provider) +
                           " is not between 1 and 64");
  }
  if (options_.keep_answering.count() < 0) return InvalidArgument("keep_answering is below 0");
  if (options_.registry_patience.count() < 0)
    return InvalidArgument("registry_patience is below 0");
  if (options_.probe_timeout.count() < 0) return InvalidArgument("probe_timeout is below 0");
  if (Status status = Check(options_.outlier_ejection); !status.ok()) return status;
  if (Status status = Check(options_.socket); !status.ok()) return status;
  if (Result<RegistryUrl> url = RegistryUrl::Parse(registry_url); url.ok()) {
    registry_url_ = url->text;
  }
  Result<ConfiguredLoadBalance> balance = LoadBalances().Configure(options_.load_balance);
  if (!balance.ok()) return std::move(balance).status();
  load_balance_ = *std::move(balance);
  Result<std::shared_ptr<Registry>> registry = Registries().Open(registry_url);
  if (!registry.ok()) return std::move(registry).status();
  registry_ = *std::move(registry);
  return {};
}

ChannelCore::~ChannelCore() {
  Close();
  // Routes hold subscriptions of the registry; shards hold nothing after Close.
  routes_.clear();
}

std::shared_ptr<Route> ChannelCore::RouteTo(std::string_view service, std::uint32_t methods) {
  Route* route = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto found = routes_.find(service);
    if (found == routes_.end()) {
      found = routes_.emplace(service, std::make_unique<Route>(*this, std::string(service))).first;
    }
    route = found->second.get();
    if (methods > 0 && route->method_base() == 0) {
      route->set_method_base(next_method_);
      next_method_ += methods;
    }
    if (closed_) return {shared_from_this(), route};
  }
  route->Watch();
  return {shared_from_this(), route};
}

void ChannelCore::Close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
  }
  for (const auto& [service, route] : routes_) route->Unwatch();
  const Status reason = Cancelled("the channel was closed");
  runtime().OnEveryReactor([&](std::uint32_t i) { shards_[i]->Close(reason); });
  // Once more round, so that nothing posted before still refers to the shards.
  runtime().OnEveryReactor([](std::uint32_t) {});
}

}  // namespace detail

namespace {

// The last reference may go in a completion handler, below which the core's own functions are on
// the stack: then the core is destroyed when they have returned.
void DestroyCore(detail::ChannelCore* core) {
  if (core->runtime().Current() == nullptr) {
    delete core;
  } else {
    core->runtime().Current()->PostFunction([core] { delete core; });
  }
}

}  // namespace

Channel::Channel(std::string_view registry_url, ChannelOptions options)
    : core_(new detail::ChannelCore(registry_url, std::move(options)), DestroyCore) {}

Channel::~Channel() {
  if (core_) core_->Close();
}

Channel::Channel(Channel&&) noexcept = default;

Channel& Channel::operator=(Channel&& other) noexcept {
  if (core_ && core_ != other.core_) core_->Close();
  core_ = std::move(other.core_);
  return *this;
}

const Status& Channel::status() const noexcept {
  return core_->status();
}

Status Channel::WaitForProviders(std::string_view service, std::chrono::nanoseconds timeout) {
  if (!core_->status().ok()) return core_->status();
  return core_->RouteTo(service, 0)->WaitForProviders(timeout);
}

std::vector<ProviderState> Channel::Providers(std::string_view service) const {
  if (!core_->status().ok()) return {};
  return core_->RouteTo(service, 0)->Providers();
}

StubBase::StubBase(const Channel& channel, const ServiceInfo& service)
    : route_(channel.core()->RouteTo(service.full_name,
                                     static_cast<std::uint32_t>(service.methods.size()))) {}

}  // namespace weir
