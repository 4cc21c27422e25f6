#include "hosts_registry.h"

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stop_token>
#include <thread>
#include <utility>

#include "weir/address.h"
#include "weir/log.h"

namespace {

// The providers of each service, sorted by address as weir::ProviderList asks for.
using Hosts = std::map<std::string, std::map<std::string, weir::Provider>>;

weir::Result<Hosts> ReadHosts(const std::string& file) {
  std::ifstream in(file);
  if (!in) return weir::NotFound("hosts://" + file + ": the file cannot be read");
  Hosts hosts;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const auto refuse = [&](std::string_view why) {
      return weir::InvalidArgument("hosts://" + file + ", line " + std::to_string(number) + ": " +
                                   std::string(why));
    };
    std::istringstream words(line.substr(0, line.find('#')));
    std::string service, address, weight, rest;
    words >> service >> address >> weight >> rest;
    if (service.empty()) continue;
    if (!rest.empty()) return refuse("expected: service host:port [weight]");
    const weir::Result<weir::Address> parsed = weir::Address::Parse(address);
    if (!parsed.ok()) return refuse(parsed.status().message());
    weir::Provider provider{parsed->ToString(), weir::kDefaultWeight};
    if (!weight.empty()) {
      const char* end = weight.data() + weight.size();
      const auto [stop, error] = std::from_chars(weight.data(), end, provider.weight);
      if (error != std::errc() || stop != end || provider.weight < 0 ||
          provider.weight > weir::kMaxWeight) {
        return refuse("weight '" + weight + "' is no number from 0 to 10000");
      }
    }
    hosts[service][provider.address] = provider;
  }
  return hosts;
}

weir::ProviderList ListOf(const Hosts& hosts, const std::string& service) {
  std::vector<weir::Provider> providers;
  if (const auto found = hosts.find(service); found != hosts.end()) {
    for (const auto& [address, provider] : found->second) providers.push_back(provider);
  }
  return std::make_shared<const std::vector<weir::Provider>>(std::move(providers));
}

// Looks at the file five times a second, on a thread of its own, and tells what has changed. A file
// that cannot be read or understood changes nothing.
void Follow(const std::stop_token& stop, const std::string& file, const std::string& service,
            const weir::ProviderListener& listener) {
  std::mutex mutex;
  std::condition_variable_any pause;
  weir::ProviderList told;
  std::string complaint;
  while (!stop.stop_requested()) {
    const weir::Result<Hosts> hosts = ReadHosts(file);
    if (hosts.ok()) {
      weir::ProviderList now = ListOf(*hosts, service);
      if (!told || *now != *told) listener(told = std::move(now));
    } else if (hosts.status().message() != complaint) {
      weir::LogWarning(complaint = hosts.status().message());
    }
    std::unique_lock lock(mutex);
    pause.wait_for(lock, stop, std::chrono::milliseconds(200), [] { return false; });
  }
}

class HostsSubscription final : public weir::Subscription {
 public:
  explicit HostsSubscription(std::jthread thread) : thread_(std::move(thread)) {}
  // Must wait for a running listener, unless it is the listener that destroys the subscription.
  ~HostsSubscription() override {
    thread_.request_stop();
    if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
  }

 private:
  std::jthread thread_;
};

}  // namespace

weir::Result<std::shared_ptr<weir::Registry>> HostsRegistry::Open(const weir::RegistryUrl& url) {
  weir::Result<Hosts> hosts = ReadHosts(url.rest);
  if (!hosts.ok()) return std::move(hosts).status();
  return std::shared_ptr<weir::Registry>(std::make_shared<HostsRegistry>(url.rest));
}

weir::Result<std::unique_ptr<weir::Registration>> HostsRegistry::Register(weir::Instance instance) {
  return weir::Unimplemented("hosts://" + file_ + " is written by hand; add the line '" +
                             instance.service + " " + instance.address + "' to it");
}

weir::Result<std::unique_ptr<weir::Subscription>> HostsRegistry::Watch(
    std::string service, weir::ProviderListener listener) {
  return std::unique_ptr<weir::Subscription>(std::make_unique<HostsSubscription>(
      std::jthread([file = file_, service = std::move(service), listener = std::move(listener)](
                       const std::stop_token& stop) { Follow(stop, file, service, listener); })));
}

weir::Status HostsRegistry::WaitUntilRegistered(std::int64_t) {
  return {};
}

weir::Result<std::vector<std::string>> HostsRegistry::Services() {
  const weir::Result<Hosts> hosts = ReadHosts(file_);
  if (!hosts.ok()) return hosts.status();
  std::vector<std::string> services;
  for (const auto& [service, providers] : *hosts) services.push_back(service);
  return services;
}
