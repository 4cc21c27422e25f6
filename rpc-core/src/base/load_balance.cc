// The table of load-balance strategies, and how linked libraries fill it (weir/plugins.h).
#include "weir/load_balance.h"

#include <algorithm>
#include <numeric>

#include "base/join.h"
#include "weir/plugins.h"

// Weak: null unless the library that defines it is linked.
extern "C" {
[[gnu::weak]] void weir_install_load_balances(weir::LoadBalanceTable& table);
}

namespace weir {

bool ConfiguredLoadBalance::narrows() const noexcept {
  return std::any_of(decorations.begin(), decorations.end(),
                     [](const Decoration& each) { return each.decorator.select != nullptr; });
}

std::vector<Index> ConfiguredLoadBalance::Select(std::span<const Provider> providers,
                                                 const Consumer& consumer) const {
  std::vector<Index> chosen(providers.size());
  std::iota(chosen.begin(), chosen.end(), Index{0});
  for (const Decoration& each : decorations) {
    if (each.decorator.select == nullptr) continue;
    std::vector<Provider> left;
    for (const Index i : chosen) left.push_back(providers[i]);
    std::vector<Index> narrowed;
    for (const Index i : each.decorator.select(left, each.parameters, consumer)) {
      narrowed.push_back(chosen[i]);
    }
    chosen = std::move(narrowed);
  }
  return chosen;
}

void ConfiguredLoadBalance::BuildTables(Snapshot& snapshot, const Snapshot* previous) const {
  if (strategy.build != nullptr) {
    snapshot.set_tables(strategy.build(snapshot, parameters, previous));
  }
  snapshot.layers_.clear();
  for (const Decoration& each : decorations) {
    if (each.decorator.pick == nullptr) continue;
    Layer& layer = snapshot.layers_.emplace_back();
    layer.pick = each.decorator.pick;
    layer.strategy = strategy.pick;
    if (each.decorator.build != nullptr) {
      layer.tables = each.decorator.build(snapshot, each.parameters);
    }
  }
  for (Layer& layer : snapshot.layers_) layer.is_last = &layer == &snapshot.layers_.back();
}

std::string ConfiguredLoadBalance::Explain(const RequestView& request, const Snapshot& snapshot,
                                           const PickContext& context) const {
  const Index picked = Pick(request, snapshot, context);
  std::string why = text + ": ";
  why += picked < snapshot.size() ? snapshot.provider(picked).address : "no provider";
  if (snapshot.size() == 0) return why + ", the list is empty";
  if (strategy.explain != nullptr) {
    why += ", " + strategy.explain(request, snapshot, context, picked);
  }
  auto layer = snapshot.layers().begin();
  for (const Decoration& each : decorations) {
    if (each.decorator.pick == nullptr) continue;
    const Layer& own = *layer++;
    if (each.decorator.explain == nullptr) continue;
    const std::string did = each.decorator.explain(request, snapshot, context, own, picked);
    if (!did.empty()) why += "; " + each.parameters.name() + ": " + did;
  }
  if (!context.excluded.empty()) {
    why += "; excluded: " + std::to_string(context.excluded.size()) + " of " +
           std::to_string(snapshot.size());
  }
  return why;
}

void LoadBalanceTable::Add(std::string name, LoadBalance strategy) {
  const std::lock_guard lock(mutex_);
  decorators_.erase(name);
  strategies_.insert_or_assign(std::move(name), strategy);
}

void LoadBalanceTable::Add(std::string name, Decorator decorator) {
  const std::lock_guard lock(mutex_);
  strategies_.erase(name);
  decorators_.insert_or_assign(std::move(name), decorator);
}

Index LoadBalanceTable::IndexOfChoice(std::string_view address, const Snapshot& snapshot,
                                      const PickContext& context) noexcept {
  const Index n = snapshot.size();
  Index chosen = 0;
  while (chosen < n && snapshot.provider(chosen).address != address) ++chosen;
  if (chosen == n) return kNone;
  for (Index step = 0; step < n; ++step) {
    const Index i = (chosen + step) % n;
    if (!IsExcluded(context, i)) return i;
  }
  return kNone;
}

namespace {

// What speaks against an element's parameters.
template <class Kind>
Status CheckParameters(const Kind& kind, std::string_view what, const Parameters& element) {
  if (kind.check != nullptr) return kind.check(element);
  if (element.empty()) return {};
  return element.RefuseAll(what);
}

}  // namespace

Result<LoadBalance> LoadBalanceTable::FindStrategy(const Parameters& element,
                                                   std::string_view text) const {
  const bool chain = text.find('|') != std::string_view::npos;
  const std::string where = chain ? " at position " + std::to_string(element.position()) : "";
  LoadBalance strategy;
  bool is_decorator = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = strategies_.find(element.name()); found != strategies_.end()) {
      strategy = found->second;
    }
    is_decorator = decorators_.find(element.name()) != decorators_.end();
  }
  if (is_decorator) {
    return InvalidArgument("load balance '" + std::string(text) + "': '" + element.name() + "'" +
                           where + " decorates a strategy, which is missing: " + element.name() +
                           "(...)|round_robin");
  }
  if (strategy.pick == nullptr) {
    return InvalidArgument("unknown load balance '" + element.name() + "'" + where +
                           "; known: " + Join(Names()));
  }
  if (Status status = CheckParameters(strategy, "load balance", element); !status.ok()) {
    return status;
  }
  return strategy;
}

Result<Decorator> LoadBalanceTable::FindDecorator(const Parameters& element,
                                                  std::string_view text) const {
  Decorator decorator;
  bool found_any = false;
  bool is_strategy = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = decorators_.find(element.name()); found != decorators_.end()) {
      decorator = found->second;
      found_any = true;
    }
    is_strategy = strategies_.find(element.name()) != strategies_.end();
  }
  if (!found_any) {
    const std::string where = "load balance '" + std::string(text) + "', position " +
                              std::to_string(element.position()) + ": '" + element.name() + "' ";
    if (is_strategy) return InvalidArgument(where + "is a strategy and must be the last");
    const std::vector<std::string> known = DecoratorNames();
    return InvalidArgument(
        where + "is no known decorator; known: " + (known.empty() ? "none" : Join(known)));
  }
  if (Status status = CheckParameters(decorator, "decorator", element); !status.ok()) {
    return status;
  }
  return decorator;
}

Result<ConfiguredLoadBalance> LoadBalanceTable::Configure(std::string_view text) const {
  Result<std::vector<Parameters>> elements = Parameters::ParseChain(text);
  if (!elements.ok()) return std::move(elements).status();
  ConfiguredLoadBalance configured;
  configured.text = text;
  configured.parameters = std::move(elements->back());
  elements->pop_back();
  const Result<LoadBalance> strategy = FindStrategy(configured.parameters, text);
  if (!strategy.ok()) return strategy.status();
  configured.strategy = *strategy;
  for (Parameters& element : *elements) {
    const Result<Decorator> decorator = FindDecorator(element, text);
    if (!decorator.ok()) return decorator.status();
    configured.decorations.push_back({*decorator, std::move(element)});
  }
  return configured;
}

std::vector<std::string> LoadBalanceTable::Names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, strategy] : strategies_) names.push_back(name);
  return names;
}

std::vector<std::string> LoadBalanceTable::DecoratorNames() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, decorator] : decorators_) names.push_back(name);
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
