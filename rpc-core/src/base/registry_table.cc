// The table of registry schemes, and how linked libraries fill it (weir/plugins.h).
#include <cctype>

#include "base/join.h"
#include "base/open_registries.h"
#include "weir/plugins.h"
#include "weir/registry.h"

// Weak: null unless the library that defines it is linked.
extern "C" {
[[gnu::weak]] void weir_install_registries(weir::RegistryTable& table);
[[gnu::weak]] void weir_install_zookeeper(weir::RegistryTable& table);
}

namespace weir {

Result<RegistryUrl> RegistryUrl::Parse(std::string_view text) {
  const auto separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) {
    return InvalidArgument("registry '" + std::string(text) +
                           "': expected scheme://..., such as file:///var/run/weir, "
                           "zk://host:2181/rpc, list://host:port or list://unix:/path");
  }
  RegistryUrl url{std::string(text), std::string(text.substr(0, separator)),
                  std::string(text.substr(separator + 3))};
  for (char& c : url.scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  // "digest:user:password@" never reaches a log line.
  if (const auto at = url.rest.rfind('@'); at != std::string::npos && url.scheme == "zk") {
    url.text = url.scheme + "://***@" + url.rest.substr(at + 1);
  }
  return url;
}

Result<std::vector<ProviderEntry>> Registry::Inspect(std::string_view) {
  return Unimplemented("this registry keeps nothing about its providers but their list");
}

Status Registry::Reweigh(std::string_view, std::string_view, std::int32_t) {
  return Unimplemented("the weights of this registry are fixed");
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
  Result<std::shared_ptr<Registry>> registry = factory(*url);
  if (registry.ok()) detail::RememberRegistry(url->text, *registry);
  return registry;
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

}  // namespace weir
