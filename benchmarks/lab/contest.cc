#include "lab/contest.h"

#include <algorithm>
#include <utility>

namespace weir::lab {
namespace {

std::vector<const Contestant*> Fitting(const ContestPlan& plan, const Scenario& scenario,
                                       const std::vector<Contestant>& oracles) {
  std::vector<const Contestant*> chosen;
  bool any_keyed = false;
  for (const Contestant& contestant : plan.contestants) {
    if (plan.only_fitting && contestant.keyed && !scenario.keyed()) continue;
    if (contestant.is_oracle()) continue;
    any_keyed = any_keyed || contestant.keyed;
    chosen.push_back(&contestant);
  }
  for (const Contestant& oracle : oracles) {
    if (oracle.keyed && (!scenario.keyed() || !any_keyed)) continue;
    chosen.push_back(&oracle);
  }
  return chosen;
}

}  // namespace

const ContestResult::Entry* ContestResult::Round::Find(std::string_view contestant) const noexcept {
  for (const Entry& entry : entries) {
    if (entry.contestant == contestant) return &entry;
  }
  return nullptr;
}

double ContestResult::Round::Ratio(const Entry& entry, double RunResult::*value) const {
  const Entry* oracle = Find(entry.oracle);
  if (oracle == nullptr) return kNotMeasured;
  return entry.cell.Median(value) / oracle->cell.Median(value);
}

std::vector<std::string> ContestResult::Contestants() const {
  std::vector<std::string> names;
  const auto add = [&](bool oracles) {
    for (const Round& round : rounds) {
      for (const Entry& entry : round.entries) {
        const bool is_oracle = entry.contestant == kOracle || entry.contestant == kKeyedOracle;
        if (is_oracle != oracles) continue;
        if (std::find(names.begin(), names.end(), entry.contestant) == names.end()) {
          names.push_back(entry.contestant);
        }
      }
    }
  };
  add(false);
  add(true);
  return names;
}

Result<ContestResult> RunContest(const ContestPlan& plan, const RunOnce& run_once,
                                 const TellProgress& tell) {
  std::vector<Contestant> oracles;
  if (plan.with_oracles) {
    for (const std::string_view name : {kOracle, kKeyedOracle}) {
      oracles.push_back(*Contestant::Make(std::string(name)));
    }
  }
  std::size_t all = 0;
  for (const Scenario& scenario : plan.scenarios) {
    all += Fitting(plan, scenario, oracles).size() * static_cast<std::size_t>(plan.seeds);
  }
  std::size_t done = 0;
  ContestResult result;
  result.seeds = plan.seeds;
  for (const Scenario& scenario : plan.scenarios) {
    ContestResult::Round round{.scenario = scenario, .entries = {}};
    for (const Contestant* contestant : Fitting(plan, scenario, oracles)) {
      const bool is_keyed = contestant->keyed && scenario.keyed();
      ContestResult::Entry entry{.contestant = contestant->name,
                                 .oracle = std::string(is_keyed ? kKeyedOracle : kOracle),
                                 .cell = {}};
      for (int seed = 0; seed < plan.seeds; ++seed) {
        tell(done, all, scenario.name + " " + contestant->name);
        Result<RunResult> run =
            run_once(scenario, *contestant, scenario.seed + static_cast<std::uint64_t>(seed));
        if (!run.ok()) return std::move(run).status();
        entry.cell.runs.push_back(*std::move(run));
        ++done;
      }
      round.entries.push_back(std::move(entry));
    }
    result.rounds.push_back(std::move(round));
  }
  tell(done, all, "done");
  return result;
}

}  // namespace weir::lab
