// weir: looks at a running system. `weir list` shows the services of a registry and their
// providers.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "weir/log.h"
#include "weir/registry.h"

namespace {

constexpr int kUsage = 2;
constexpr int kFailed = 1;

struct Listed {
  std::string service;
  weir::ProviderList providers;
};

int Fail(const weir::Status& status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.code() == weir::StatusCode::kInvalidArgument ? kUsage : kFailed;
}

// The first list of providers that the registry gives.
weir::Result<weir::ProviderList> ProvidersOf(weir::Registry& registry, const std::string& url,
                                             const std::string& service,
                                             std::chrono::milliseconds timeout) {
  auto first = std::make_shared<std::promise<weir::ProviderList>>();
  auto seen = std::make_shared<std::once_flag>();
  std::future<weir::ProviderList> list = first->get_future();
  auto watch = registry.Watch(service, [first, seen](weir::ProviderList providers) {
    std::call_once(*seen, [&] { first->set_value(std::move(providers)); });
  });
  if (!watch.ok()) return std::move(watch).status();
  if (list.wait_for(timeout) == std::future_status::ready) return list.get();
  return weir::DeadlineExceeded("registry " + url + " did not answer within " +
                                std::to_string(timeout.count()) + " ms; is it running?");
}

void PrintTable(const std::vector<Listed>& all) {
  std::size_t width = 7;
  for (const Listed& one : all) width = std::max(width, one.service.size());
  const int column = static_cast<int>(width);
  std::printf("%-*s  %-24s %s\n", column, "SERVICE", "PROVIDER", "WEIGHT");
  for (const Listed& one : all) {
    if (one.providers->empty()) std::printf("%-*s  -\n", column, one.service.c_str());
    for (const weir::Provider& provider : *one.providers) {
      std::printf("%-*s  %-24s %d%s\n", column, one.service.c_str(), provider.address.c_str(),
                  provider.weight, provider.weight == 0 ? "  (draining)" : "");
    }
  }
}

void PrintJson(const std::vector<Listed>& all) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Listed& one : all) {
    nlohmann::json providers = nlohmann::json::array();
    for (const weir::Provider& provider : *one.providers) {
      providers.push_back({{"address", provider.address}, {"weight", provider.weight}});
    }
    rows.push_back({{"service", one.service}, {"providers", std::move(providers)}});
  }
  std::printf("%s\n", rows.dump(2).c_str());
}

int List(const std::string& url, std::vector<std::string> services, bool json,
         std::chrono::milliseconds timeout) {
  weir::SetLogLevel(weir::LogLevel::kError);
  auto registry = weir::Registries().Open(url);
  if (!registry.ok()) return Fail(registry.status());
  if (services.empty()) {
    auto known = (*registry)->Services();
    if (!known.ok()) return Fail(known.status());
    services = *std::move(known);
  }
  std::vector<Listed> all;
  for (std::string& service : services) {
    auto providers = ProvidersOf(**registry, url, service, timeout);
    if (!providers.ok()) return Fail(providers.status());
    all.push_back({std::move(service), *std::move(providers)});
  }
  json ? PrintJson(all) : PrintTable(all);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Looks at a running system of weir providers."};
  app.require_subcommand(1);
  app.set_version_flag("--version", WEIR_VERSION);

  std::string url;
  std::vector<std::string> services;
  bool json = false;
  int timeout_ms = 5000;
  CLI::App* list = app.add_subcommand("list", "Shows services, their providers and weights");
  list->add_option("REGISTRY", url, "zk://host:port/rpc, file:///directory, list://host:port")
      ->required();
  list->add_option("SERVICE", services, "Only these services; needed where a registry cannot tell");
  list->add_flag("--json", json, "For programs");
  list->add_option("--timeout-ms", timeout_ms, "How long the registry may take")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  const auto known = app.get_subcommands({});
  if (argc > 1 && argv[1][0] != '-' &&
      std::none_of(known.begin(), known.end(),
                   [&](const CLI::App* one) { return one->get_name() == argv[1]; })) {
    std::fprintf(stderr, "error: unknown command '%s'; see weir --help\n", argv[1]);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "error: %s; see weir --help\n", error.what());
    return kUsage;
  }
  return List(url, std::move(services), json, std::chrono::milliseconds(timeout_ms));
}
