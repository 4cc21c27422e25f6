// The tables of schemes and strategies, and how linked libraries fill them (weir/plugins.h).
#include "weir/plugins.h"

#include <cctype>

#include "weir/load_balance.h"
#include "weir/registry.h"

// Weak: null unless the library that defines it is linked.
extern "C" {
[[gnu::weak]] void weir_install_registries(weir::RegistryTable& table);
[[gnu::weak]] void weir_install_zookeeper(weir::RegistryTable& table);
[[gnu::weak]] void weir_install_load_balances(weir::LoadBalanceTable& table);
}

namespace weir {
namespace {

std::string Join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

Result<RegistryUrl> RegistryUrl::Parse(std::string_view text) {
  const auto separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) {
    return InvalidArgument("registry '" + std::string(text) +
                           "': expected scheme://..., such as file:///var/run/weir, "
                           "zk://host:2181/rpc or list://host:port");
  }
  RegistryUrl url{std::string(text), std::string(text.substr(0, separator)),
                  std::string(text.substr(separator + 3))};
  for (char& c : url.scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  // "digest:user:password@" never reaches a log line.
  if (const auto at = url.rest.find('@'); at != std::string::npos && url.scheme == "zk") {
    url.text = url.scheme + "://***@" + url.rest.substr(at + 1);
  }
  return url;
}

void RegistryTable::Add(std::string scheme, RegistryFactory factory) {
  const std::lock_guard lock(mutex_);
  factories_.insert_or_assign(std::move(scheme), std::move(factory));
}

Result<std::shared_ptr<Registry>> RegistryTable::Open(std::string_view text) const {
  Result<RegistryUrl> url = RegistryUrl::Parse(text);
  if (!url.ok()) return std::move(url).status();
  RegistryFactory factory;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = factories_.find(url->scheme); found != factories_.end()) {
      factory = found->second;
    }
  }
  if (!factory) {
    return InvalidArgument("registry '" + url->text + "': unknown scheme '" + url->scheme +
                           "'; known: " + Join(Schemes()));
  }
  return factory(*url);
}

std::vector<std::string> RegistryTable::Schemes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

RegistryTable& Registries() {
  static RegistryTable* table = [] {
    auto* fresh = new RegistryTable;
    if (weir_install_registries != nullptr) weir_install_registries(*fresh);
    if (weir_install_zookeeper != nullptr) weir_install_zookeeper(*fresh);
    return fresh;
  }();
  return *table;
}

Result<Parameters> Parameters::Parse(std::string_view text) {
  const auto refuse = [&](std::size_t at, std::string_view why) {
    return InvalidArgument("load balance '" + std::string(text) + "', position " +
                           std::to_string(at + 1) + ": " + std::string(why) +
                           "; expected name or name:key=value,key=value");
  };
  Parameters parsed;
  const auto colon = text.find(':');
  parsed.name_ = text.substr(0, colon);
  if (parsed.name_.empty()) return refuse(0, "the name is missing");
  if (colon == std::string_view::npos) return parsed;
  std::size_t at = colon + 1;
  while (true) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string_view pair = text.substr(at, end - at);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) return refuse(at, "key=value is missing");
    const auto [place, fresh] = parsed.values_.emplace(std::string(pair.substr(0, equals)),
                                                       std::string(pair.substr(equals + 1)));
    if (!fresh) return refuse(at, "'" + place->first + "' is given twice");
    if (end == text.size()) return parsed;
    at = end + 1;
  }
}

void ConfiguredLoadBalance::BuildTables(Snapshot& snapshot, const Snapshot* previous) const {
  if (strategy.build != nullptr) {
    snapshot.set_tables(strategy.build(snapshot, parameters, previous));
  }
}

void LoadBalanceTable::Add(std::string name, LoadBalance strategy) {
  const std::lock_guard lock(mutex_);
  strategies_.insert_or_assign(std::move(name), strategy);
}

Result<ConfiguredLoadBalance> LoadBalanceTable::Configure(std::string_view text) const {
  Result<Parameters> parameters = Parameters::Parse(text);
  if (!parameters.ok()) return std::move(parameters).status();
  LoadBalance strategy;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = strategies_.find(parameters->name()); found != strategies_.end()) {
      strategy = found->second;
    }
  }
  if (strategy.pick == nullptr) {
    return InvalidArgument("unknown load balance '" + parameters->name() +
                           "'; known: " + Join(Names()));
  }
  if (strategy.check != nullptr) {
    if (Status status = strategy.check(*parameters); !status.ok()) return status;
  } else if (!parameters->values().empty()) {
    return InvalidArgument("load balance '" + parameters->name() + "' takes no parameters, got '" +
                           parameters->values().begin()->first + "'");
  }
  return ConfiguredLoadBalance{std::string(text), strategy, *std::move(parameters)};
}

std::vector<std::string> LoadBalanceTable::Names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, strategy] : strategies_) names.push_back(name);
  return names;
}

LoadBalanceTable& LoadBalances() {
  static LoadBalanceTable* table = [] {
    auto* fresh = new LoadBalanceTable;
    if (weir_install_load_balances != nullptr) weir_install_load_balances(*fresh);
    return fresh;
  }();
  return *table;
}

Snapshot::Snapshot(std::vector<Provider> providers,
                   std::vector<std::shared_ptr<Endpoint>> endpoints)
    : providers_(std::move(providers)), endpoints_(std::move(endpoints)) {
  assert(providers_.size() == endpoints_.size());
}

}  // namespace weir
