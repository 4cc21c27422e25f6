#include "base/open_registries.h"

#include <chrono>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::detail {
namespace {

struct OpenRegistry {
  std::string url;
  std::weak_ptr<Registry> registry;
};

std::mutex g_mutex;

// Never destroyed: a program may read its metrics while it ends.
std::vector<OpenRegistry>& All() {
  static auto* all = new std::vector<OpenRegistry>;
  return *all;
}

void Collect(MetricsWriter& writer, const std::string& url, const Registry& registry) {
  const RegistryHealth health = registry.health();
  const RegistryCounters counters = registry.counters();
  writer.Gauge("weir_registry_open", "Registries this process has open", {{"registry", url}}, 1);
  writer.Gauge("weir_registry_connected", "Those of them that reach what keeps them",
               {{"registry", url}}, health.connected ? 1 : 0);
  const double out =
      health.connected
          ? 0
          : std::chrono::duration<double>(std::chrono::steady_clock::now() - health.since).count();
  writer.MaxGauge("weir_registry_snapshot_age_seconds",
                  "How old what is known of the providers may be: time without a connection",
                  {{"registry", url}}, out);
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    writer.Counter(name, help, {{"registry", url}}, value);
  };
  count("weir_registry_sessions_total", "Sessions established", counters.sessions);
  count("weir_registry_lost_sessions_total", "Sessions that ended", counters.lost_sessions);
  count("weir_registry_disconnections_total", "Connections lost", counters.disconnections);
  count("weir_registry_refusals_total", "Operations refused for want of rights", counters.refusals);
  count("weir_registry_reregistrations_total",
        "Own nodes made again, or taken over from a dead predecessor",
        counters.restorations + counters.takeovers);
  count("weir_registry_ignored_names_total", "Nodes whose name is no host:port",
        counters.ignored_names);
  count("weir_registry_rejected_weights_total", "Weights that are none", counters.rejected_weights);
}

}  // namespace

void RememberRegistry(std::string url, const std::shared_ptr<Registry>& registry) {
  const std::lock_guard lock(g_mutex);
  std::erase_if(All(), [](const OpenRegistry& one) { return one.registry.expired(); });
  for (const OpenRegistry& one : All()) {
    // A scheme may give the same object to all who ask.
    if (!one.registry.owner_before(registry) && !registry.owner_before(one.registry)) return;
  }
  All().push_back({std::move(url), registry});
}

void CollectOpenRegistries(MetricsWriter& writer) {
  std::vector<std::pair<std::string, std::shared_ptr<Registry>>> open;
  {
    const std::lock_guard lock(g_mutex);
    for (const OpenRegistry& one : All()) {
      if (auto registry = one.registry.lock()) open.emplace_back(one.url, std::move(registry));
    }
  }
  // Outside the lock: the last reference to a registry may be ours by now.
  for (const auto& [url, registry] : open) Collect(writer, url, *registry);
}

}  // namespace weir::detail
