#include "catalog.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "text.h"

namespace weir::tool {

Status CheckRegistryUrl(const std::string& url) {
  const Result<RegistryUrl> parsed = RegistryUrl::Parse(url);
  const std::vector<std::string> schemes = Registries().Schemes();
  const bool known =
      parsed.ok() && std::find(schemes.begin(), schemes.end(), parsed->scheme) != schemes.end();
  // What is no URL of a known kind may still hold a password.
  if (!known && url.find('@') != std::string::npos) {
    return InvalidArgument("the registry is no URL of a known scheme (" + Some(schemes) +
                           "); expected one such as zk://user:password@host:2181/rpc");
  }
  return parsed.ok() ? Status() : parsed.status();
}

Result<std::unique_ptr<Catalog>> Catalog::Open(const std::string& url,
                                               std::chrono::milliseconds timeout) {
  if (Status status = CheckRegistryUrl(url); !status.ok()) return status;
  Result<std::shared_ptr<Registry>> registry = Registries().Open(url);
  if (!registry.ok()) return registry.status();
  return std::unique_ptr<Catalog>(
      new Catalog(*std::move(registry), RegistryUrl::Parse(url)->text, timeout));
}

Status Catalog::NoAnswer() const {
  const RegistryHealth health = registry_->health();
  return DeadlineExceeded("registry " + name_ + " did not answer within " +
                          std::to_string(timeout_.count()) + " ms" +
                          (health.trouble.empty() ? "" : " (" + health.trouble + ")") +
                          "; is it running, and is the address right?");
}

Result<std::vector<std::string>> Catalog::Services() {
  return Within<Result<std::vector<std::string>>>(
      [](Registry& registry) { return registry.Services(); });
}

Status Catalog::Reweigh(const std::string& service, const std::string& address,
                        std::int32_t weight) {
  return Within<Status>(
      [=](Registry& registry) { return registry.Reweigh(service, address, weight); });
}

Result<std::vector<ProviderEntry>> Catalog::Providers(const std::string& service) {
  auto entries = Within<Result<std::vector<ProviderEntry>>>(
      [service](Registry& registry) { return registry.Inspect(service); });
  if (entries.ok() || entries.status().code() != StatusCode::kUnimplemented) return entries;
  return Watched(service);
}

// The first list of providers that the registry gives.
Result<std::vector<ProviderEntry>> Catalog::Watched(const std::string& service) {
  auto first = std::make_shared<std::promise<ProviderList>>();
  auto seen = std::make_shared<std::once_flag>();
  std::future<ProviderList> list = first->get_future();
  auto watch = registry_->Watch(service, [first, seen](ProviderList providers) {
    std::call_once(*seen, [&] { first->set_value(std::move(providers)); });
  });
  if (!watch.ok()) return std::move(watch).status();
  if (list.wait_for(timeout_) != std::future_status::ready) return NoAnswer();
  std::vector<ProviderEntry> entries;
  for (const Provider& provider : *list.get()) {
    entries.push_back({.address = provider.address,
                       .weight_text = std::to_string(provider.weight),
                       .weight = provider.weight});
  }
  return entries;
}

Status Catalog::CheckKnown(const std::string& service) {
  const Result<std::vector<std::string>> known = Services();
  if (!known.ok()) {
    return known.status().code() == StatusCode::kUnimplemented ? Status() : known.status();
  }
  if (std::find(known->begin(), known->end(), service) != known->end()) return {};
  return NotFound("no service '" + Printable(service) + "' in " + name_ +
                  "; known: " + Some(*known));
}

void Leave(int exit_code) {
  std::fflush(stdout);
  std::fflush(stderr);
  std::_Exit(exit_code);
}

}  // namespace weir::tool
