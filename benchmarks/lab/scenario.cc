#include "lab/scenario.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "lab/builtin_scenarios.h"

namespace weir::lab {
namespace {

double Part(Nanos most, Nanos rest, double rest_speed) {
  if (most <= 0) return 1;
  const auto a = static_cast<double>(most);
  const auto b = static_cast<double>(rest);
  return (a + b * rest_speed) / (a + b);
}

Nanos Scale(Nanos time, double factor) {
  return std::llround(static_cast<double>(time) * factor);
}

}  // namespace

std::uint32_t Scenario::server_count() const noexcept {
  std::uint32_t count = 0;
  for (const ServerGroup& group : servers) count += group.count;
  return count;
}

double Scenario::EffectiveCapacity() const noexcept {
  double slots = 0;
  for (const ServerGroup& group : servers) {
    slots += group.count * group.slots * group.speed * Part(group.pause_every, group.pause_for, 0) *
             Part(group.slow_every, group.slow_for, group.slow_speed) * (1 - group.fail);
  }
  return slots * 1e9 / service.mean_ns();
}

Scenario Scenario::Shortened(double calls) const {
  Scenario made = *this;
  const double expected = Rate() * 1e-9 * static_cast<double>(duration + warm_up);
  if (expected <= calls) return made;
  // Something must have time to go wrong: some deadlines at least.
  const double least =
      2.5 * static_cast<double>(deadline) / static_cast<double>(duration + warm_up);
  const double factor = std::max(calls / expected, least);
  if (factor >= 1) return made;
  for (Nanos* time : {&made.duration, &made.warm_up}) *time = Scale(*time, factor);
  for (ServerGroup& group : made.servers) {
    for (Nanos* time : {&group.fail_from, &group.fail_until, &group.starts, &group.stops,
                        &group.restart_first, &group.restart_every, &group.restart_for,
                        &group.churn_every, &group.churn_for, &group.cold_for}) {
      *time = Scale(*time, factor);
    }
    for (SpeedChange& change : group.speeds) change.at = Scale(change.at, factor);
  }
  for (Phase& phase : made.phases) {
    phase.from = Scale(phase.from, factor);
    phase.length = Scale(phase.length, factor);
  }
  return made;
}

const std::vector<Scenario>& BuiltinScenarios() {
  static const std::vector<Scenario> scenarios = [] {
    std::vector<Scenario> all;
    for (const BuiltinScenario& each : kBuiltinScenarios) {
      Result<Scenario> parsed = ParseScenario(each.text, each.file);
      if (!parsed.ok()) {  // a mistake of this build, found by its first run
        std::cerr << "error: " << parsed.status().ToString() << "\n";
        std::abort();
      }
      all.push_back(*std::move(parsed));
    }
    return all;
  }();
  return scenarios;
}

std::string_view BuiltinScenarioText(std::string_view name) {
  const std::vector<Scenario>& all = BuiltinScenarios();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return kBuiltinScenarios[i].text;
  }
  return {};
}

Result<Scenario> FindScenario(const std::string& name_or_path) {
  std::string known;
  for (const Scenario& scenario : BuiltinScenarios()) {
    if (scenario.name == name_or_path) return scenario;
    known += (known.empty() ? "" : ", ") + scenario.name;
  }
  std::ifstream file(name_or_path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return NotFound("'" + name_or_path + "' is neither a readable scenario file nor one of " +
                    known);
  }
  return ParseScenario(text.str(), name_or_path);
}

}  // namespace weir::lab
