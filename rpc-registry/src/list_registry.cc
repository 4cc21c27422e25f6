// list://host:port*weight@zone,host:port*weight,host:port: fixed providers, the same for every
// service.
#include <algorithm>
#include <charconv>
#include <utility>

#include "executor.h"
#include "facts.h"
#include "listener.h"
#include "node.h"
#include "schemes.h"
#include "weir/address.h"

namespace weir::discovery {
namespace {

Result<Provider> ParseProvider(const std::string& url, std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return InvalidArgument("registry '" + url + "', '" + std::string(text) +
                           "': " + std::string(why) +
                           "; expected list://host:port*weight@zone,host:port*weight,host:port");
  };
  const auto star = text.find('*');
  const Result<Address> address = Address::Parse(text.substr(0, star));
  if (!address.ok()) return refuse(address.status().message());
  if (!address->can_be_called()) return refuse("port 0 cannot be called");
  Provider provider{address->ToString(), kDefaultWeight};
  if (star == std::string_view::npos) return provider;
  const std::string_view behind = text.substr(star + 1);
  const auto at = behind.find('@');
  const std::string_view weight = behind.substr(0, at);
  if (at != std::string_view::npos) {
    provider.zone = behind.substr(at + 1);
    if (!IsZone(provider.zone)) return refuse("the zone is no word of 1 to 64 bytes");
  }
  const auto [end, error] =
      std::from_chars(weight.data(), weight.data() + weight.size(), provider.weight);
  if (weight.empty() || error != std::errc() || end != weight.data() + weight.size() ||
      provider.weight < 0 || provider.weight > kMaxWeight) {
    return refuse("the weight is no number from 0 to " + std::to_string(kMaxWeight));
  }
  return provider;
}

class ListRegistry final : public Registry {
 public:
  ListRegistry(std::string url, ProviderList providers)
      : url_(std::move(url)), providers_(std::move(providers)) {}
  ~ListRegistry() override { executor_.Stop(); }

  Result<std::unique_ptr<Registration>> Register(Instance instance) override {
    return Unimplemented(url_ + " is a fixed list and cannot register " + instance.address +
                         "; start the provider without a registry, or use file:// or zk://");
  }

  Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                              ProviderListener listener) override {
    if (Status status = CheckService(service); !status.ok()) return status;
    auto slot = std::make_shared<ProviderSlot>(std::move(listener));
    executor_.Post([slot, providers = providers_] { slot->Call(providers); });
    return std::unique_ptr<Subscription>(
        std::make_unique<SlotSubscription<ProviderList>>(std::move(slot), [] {}));
  }

  Status WaitUntilRegistered(std::int64_t) override { return {}; }

  Result<std::vector<std::string>> Services() override {
    return Unimplemented(url_ + " is a list of addresses and knows no services");
  }

  Result<std::vector<ProviderEntry>> Inspect(std::string_view service) override {
    if (Status status = CheckService(service); !status.ok()) return status;
    std::vector<ProviderEntry> entries;
    for (const Provider& provider : *providers_) {
      entries.push_back({.address = provider.address,
                         .weight_text = std::to_string(provider.weight),
                         .weight = provider.weight});
      if (!provider.zone.empty()) entries.back().facts.emplace("zone", provider.zone);
    }
    return entries;
  }

  Status Reweigh(std::string_view, std::string_view address, std::int32_t) override {
    return Unimplemented(url_ + " is a fixed list and cannot change the weight of " +
                         std::string(address) + "; change the list where it is given");
  }

 private:
  const std::string url_;
  const ProviderList providers_;
  Executor executor_;
};

}  // namespace

Result<std::shared_ptr<Registry>> OpenListRegistry(const RegistryUrl& url) {
  std::vector<Provider> providers;
  for (std::string_view rest = url.rest;;) {
    const auto comma = rest.find(',');
    Result<Provider> provider = ParseProvider(url.text, rest.substr(0, comma));
    if (!provider.ok()) return std::move(provider).status();
    providers.push_back(*std::move(provider));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::sort(providers.begin(), providers.end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  const auto twice = std::adjacent_find(
      providers.begin(), providers.end(),
      [](const Provider& a, const Provider& b) { return a.address == b.address; });
  if (twice != providers.end()) {
    return InvalidArgument("registry '" + url.text + "': " + twice->address + " is listed twice");
  }
  return std::shared_ptr<Registry>(std::make_shared<ListRegistry>(
      url.text, std::make_shared<const std::vector<Provider>>(std::move(providers))));
}

}  // namespace weir::discovery
