#include "lab/agree.h"

#include <cmath>
#include <utility>

#include "lab/live_run.h"
#include "lab/report_table.h"
#include "lab/simulation.h"

namespace weir::lab {

double Agreement::Deviation(double RunResult::*value) const noexcept {
  return live.*value / simulated.*value - 1;
}

bool Agreement::holds() const noexcept {
  return std::abs(Deviation(&RunResult::p50_ms)) <= kAgreement &&
         std::abs(Deviation(&RunResult::p99_ms)) <= kAgreement;
}

std::vector<Scenario> AgreementScenarios() {
  std::vector<Scenario> scenarios;
  for (const char* name : {"A", "B"}) {
    Scenario scenario = *FindScenario(name);
    scenario.name += "4";
    scenario.title += " (four servers in all)";
    // The first group is the larger one: it gives up what is more than four.
    scenario.servers.front().count -= scenario.server_count() - 4;
    scenario.duration = 10'000'000'000;
    scenarios.push_back(std::move(scenario));
  }
  return scenarios;
}

namespace {

// What a message takes each way here, idle: half of what a call takes that is no work.
Result<Nanos> MeasureNetwork(const Scenario& like) {
  Scenario idle = like;
  idle.service = *Distribution::Parse("constant(1us)");
  idle.rate = 200;
  idle.warm_up = 300'000'000;
  idle.duration = 1'000'000'000;
  const Result<Contestant> contestant = Contestant::Make("random");
  if (!contestant.ok()) return contestant.status();
  const Result<RunResult> run = RunLive(idle, *contestant, 1);
  if (!run.ok()) return run.status();
  return std::llround(run->p50_ms * 1e6 / 2);
}

}  // namespace

Result<std::vector<Agreement>> CheckAgreement(const std::vector<Scenario>& scenarios,
                                              const std::vector<Contestant>& contestants,
                                              const std::function<void(const std::string&)>& tell) {
  std::vector<Agreement> agreements;
  for (Scenario scenario : scenarios) {
    tell(scenario.name + " network");
    const Result<Nanos> network = MeasureNetwork(scenario);
    if (!network.ok()) return network.status();
    scenario.network = *network;
    for (const Contestant& contestant : contestants) {
      tell(scenario.name + " " + contestant.name);
      Result<RunResult> live = RunLive(scenario, contestant, scenario.seed);
      if (!live.ok()) return std::move(live).status();
      agreements.push_back({.scenario = scenario.name,
                            .network = scenario.network,
                            .contestant = contestant.name,
                            .simulated = Simulate(scenario, contestant, scenario.seed),
                            .live = *std::move(live)});
    }
  }
  return agreements;
}

std::string AgreementText(const std::vector<Agreement>& agreements) {
  TextTable table;
  table.Add({"scenario contestant", "p50 sim", "live", "+-%", "p99 sim", "live", "+-%",
             "error % sim", "live", "within 15 %"});
  const auto percent = [](double part) {
    return (part < 0 ? "-" : "+") + FigureText(std::abs(100 * part), 3);
  };
  for (const Agreement& each : agreements) {
    table.Add({each.scenario + " " + each.contestant, FigureText(each.simulated.p50_ms),
               FigureText(each.live.p50_ms), percent(each.Deviation(&RunResult::p50_ms)),
               FigureText(each.simulated.p99_ms), FigureText(each.live.p99_ms),
               percent(each.Deviation(&RunResult::p99_ms)),
               FigureText(each.simulated.error_percent), FigureText(each.live.error_percent),
               each.holds() ? "yes" : "NO"});
  }
  std::string text = table.ToString() + "Simulated with the network as measured here, each way:";
  std::string last;
  for (const Agreement& each : agreements) {
    if (each.scenario == last) continue;
    last = each.scenario;
    text += " " + FigureText(static_cast<double>(each.network) / 1e6) + " ms for " + last + ";";
  }
  text.back() = '\n';
  return text;
}

}  // namespace weir::lab
