// The table of load-balance strategies, and how linked libraries fill it (weir/plugins.h).
#include "weir/load_balance.h"

#include "base/join.h"
#include "weir/plugins.h"

// Weak: null unless the library that defines it is linked.
extern "C" {
[[gnu::weak]] void weir_install_load_balances(weir::LoadBalanceTable& table);
}

namespace weir {

Snapshot::Snapshot(std::vector<Provider> providers,
                   std::vector<std::shared_ptr<Endpoint>> endpoints)
    : providers_(std::move(providers)), endpoints_(std::move(endpoints)) {
  assert(providers_.size() == endpoints_.size());
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

}  // namespace weir
