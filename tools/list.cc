// weir list: services, their providers and what is known of them.
#include <cstdio>
#include <utility>

#include "catalog.h"
#include "commands.h"
#include "text.h"

namespace weir::tool {
namespace {

struct Listed {
  std::string service;
  std::vector<ProviderEntry> providers;
};

std::string FactsText(const Facts& facts) {
  std::string text;
  for (const auto& [name, fact] : facts) {
    if (name == "started") continue;  // the age is for people
    text += (text.empty() ? "" : " ") + Printable(name) + "=" + Printable(fact);
  }
  return text;
}

std::string TableOf(const std::vector<Listed>& all) {
  const auto now = std::chrono::system_clock::now();
  std::vector<std::vector<std::string>> rows = {
      {"SERVICE", "PROVIDER", "WEIGHT", "AGE", "STATE", "FACTS"}};
  for (const Listed& one : all) {
    if (one.providers.empty()) rows.push_back({one.service, "-"});
    for (const ProviderEntry& provider : one.providers) {
      std::string state = State(provider);
      if (state == "weight_rejected") {
        state = "weight rejected: '" + Printable(provider.weight_text) + "'";
      }
      rows.push_back({one.service, provider.address, std::to_string(provider.weight),
                      provider.since ? Age(now - *provider.since) : "-", std::move(state),
                      FactsText(provider.facts)});
    }
  }
  return Table(rows);
}

std::string JsonOf(const std::vector<Listed>& all) {
  const auto now = std::chrono::system_clock::now();
  Json rows = Json::array();
  for (const Listed& one : all) {
    Json providers = Json::array();
    for (const ProviderEntry& provider : one.providers) {
      Json row = {{"address", provider.address},
                  {"weight", provider.weight},
                  {"weight_text", provider.weight_text},
                  {"state", State(provider)},
                  {"since_ms", nullptr},
                  {"age_ms", nullptr},
                  {"facts", Json::object()}};
      if (provider.since) {
        row["since_ms"] = Milliseconds(*provider.since);
        row["age_ms"] = Milliseconds(now) - Milliseconds(*provider.since);
      }
      for (const auto& [name, fact] : provider.facts) row["facts"][name] = fact;
      providers.push_back(std::move(row));
    }
    rows.push_back({{"service", one.service}, {"providers", std::move(providers)}});
  }
  return JsonText(rows);
}

}  // namespace

int List(const Request& request) {
  const auto catalog = Catalog::Open(request.registry, request.timeout);
  if (!catalog.ok()) return Fail(catalog.status());
  std::vector<std::string> services = request.words;
  if (services.empty()) {
    auto known = (*catalog)->Services();
    if (!known.ok() && known.status().code() == StatusCode::kUnimplemented) {
      return Fail(Status(known.status().code(), std::string(known.status().message()) +
                                                    "; name those you mean behind the registry"));
    }
    if (!known.ok()) return Fail(known.status());
    services = *std::move(known);
  }
  std::vector<Listed> all;
  for (std::string& service : services) {
    auto providers = (*catalog)->Providers(service);
    if (!providers.ok()) return Fail(providers.status());
    if (providers->empty() && !request.words.empty()) {
      if (const Status known = (*catalog)->CheckKnown(service); !known.ok()) return Fail(known);
    }
    all.push_back({std::move(service), *std::move(providers)});
  }
  if (all.empty() && !request.json) {
    std::fprintf(stderr, "nobody has registered in %s\n", (*catalog)->name().c_str());
  }
  std::fputs((request.json ? JsonOf(all) : TableOf(all)).c_str(), stdout);
  return kOk;
}

}  // namespace weir::tool
