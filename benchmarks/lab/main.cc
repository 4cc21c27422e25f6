// strategy-lab: compares load-balance strategies in scenarios.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "harness/arguments.h"
#include "harness/results.h"
#include "lab/agree.h"
#include "lab/contest.h"
#include "lab/live_run.h"
#include "lab/progress.h"
#include "lab/report_html.h"
#include "lab/report_table.h"
#include "lab/simulation.h"
#include "weir/log.h"

namespace weir::lab {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
  std::vector<std::string> scenarios;
  std::string scenario_list;  // --scenarios A,B
  std::string strategies;
  int seeds = 0;
  double calls = 0;
  bool progress = false;
  std::string csv_path;
  std::string json_path;
  std::string html_path;
};

int Fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kNotFound
             ? kUsage
             : kFailed;
}

// Splits at commas outside of parentheses and of parameters: "p2c,subset(k=4,x=1)|p2c" are two.
std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> items;
  std::string item;
  int depth = 0;
  for (const char c : list) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      items.push_back(std::exchange(item, {}));
    } else {
      item += c;
    }
  }
  items.push_back(item);
  // "consistent_hash:vnodes=160,bound=1.25": a piece key=value belongs to the one before it.
  std::vector<std::string> joined;
  for (std::string& each : items) {
    const bool is_parameter = each.find('=') != std::string::npos &&
                              each.find_first_of(":(|") == std::string::npos && !joined.empty();
    if (is_parameter) {
      joined.back() += "," + each;
    } else if (!each.empty()) {
      joined.push_back(std::move(each));
    }
  }
  return joined;
}

void AddOptions(CLI::App& app, Arguments& arguments, int seeds, double calls) {
  app.add_option("--strategies", arguments.strategies,
                 "These alone, separated by commas, as channels name them; all by default");
  app.add_option("--seeds", arguments.seeds,
                 "Runs of each, from the scenario's seed on; medians are shown [" +
                     std::to_string(seeds) + "]")
      ->check(CLI::Range(1, 1000));
  app.add_option("--calls", arguments.calls,
                 calls > 0 ? "Shorten each run to about so many calls [" +
                                 std::to_string(static_cast<int>(calls)) + "]"
                           : std::string("Shorten each run to about so many calls"))
      ->check(CLI::Range(100.0, 1e9));
  app.add_flag("--progress", arguments.progress, "Show progress even if there is no terminal");
  app.add_option("--csv", arguments.csv_path, "Write all figures to this file");
  app.add_option("--json", arguments.json_path, "Write all figures to this file");
  app.add_option("--html", arguments.html_path,
                 "Write a page with charts, which needs nothing else");
}

enum class Command : std::uint8_t { kSim, kCompare, kLive };

Result<std::vector<Contestant>> Contestants(const std::vector<std::string>& names) {
  std::vector<Contestant> contestants;
  for (const std::string& name : names) {
    Result<Contestant> contestant = Contestant::Make(name);
    if (!contestant.ok()) return std::move(contestant).status();
    contestants.push_back(*std::move(contestant));
  }
  return contestants;
}

int Contest(const Arguments& arguments, Command command, const std::string& line) {
  const bool live = command == Command::kLive;
  ContestPlan plan;
  plan.seeds = arguments.seeds;
  plan.only_fitting = arguments.strategies.empty();
  std::vector<std::string> names = arguments.scenarios;
  for (const std::string& name : Split(arguments.scenario_list)) names.push_back(name);
  if (names.empty()) {
    for (const Scenario& scenario : BuiltinScenarios()) names.push_back(scenario.name);
  }
  for (const std::string& name : names) {
    Result<Scenario> scenario = FindScenario(name);
    if (!scenario.ok()) return Fail(scenario.status());
    plan.scenarios.push_back(arguments.calls > 0 ? scenario->Shortened(arguments.calls)
                                                 : *std::move(scenario));
    if (live) {
      if (const Status status = CheckLive(plan.scenarios.back()); !status.ok()) return Fail(status);
    }
  }
  Result<std::vector<Contestant>> contestants = Contestants(
      arguments.strategies.empty() ? ComparedStrategies() : Split(arguments.strategies));
  if (!contestants.ok()) return Fail(contestants.status());
  plan.contestants = *std::move(contestants);
  for (const std::string* path :
       {&arguments.csv_path, &arguments.json_path, &arguments.html_path}) {
    if (!bench::CanWrite(*path)) return kFailed;
  }

  Result<ContestResult> result = Internal("not run");
  {
    Progress progress(arguments.progress);
    result = RunContest(
        plan,
        [live](const Scenario& scenario, const Contestant& contestant, std::uint64_t seed) {
          return live ? RunLive(scenario, contestant, seed)
                      : Result<RunResult>(Simulate(scenario, contestant, seed));
        },
        [&](std::size_t done, std::size_t all, const std::string& what) {
          progress.Tell(done, all, what);
        });
  }
  if (!result.ok()) return Fail(result.status());
  result->command = line;
  result->live = live;
  if (command == Command::kCompare) {
    std::printf("%s", MatrixText(*result).c_str());
  } else {
    for (const ContestResult::Round& round : result->rounds) {
      std::printf("%s: %s; %.0f calls/s by %u clients to %u servers, service %s\n",
                  round.scenario.name.c_str(), round.scenario.title.c_str(), round.scenario.Rate(),
                  round.scenario.clients, round.scenario.server_count(),
                  round.scenario.service.ToString().c_str());
      std::printf("%s\n", RoundText(round, !live).c_str());
    }
  }
  const bool written = bench::WriteFile(arguments.csv_path, ToCsv(*result)) &&
                       bench::WriteFile(arguments.json_path, ToJson(*result)) &&
                       bench::WriteFile(arguments.html_path, ToHtml(*result));
  return written ? kOk : kFailed;
}

int Agree(const Arguments& arguments) {
  const std::string strategies =
      arguments.strategies.empty() ? "random,round_robin,least_active,p2c" : arguments.strategies;
  const Result<std::vector<Contestant>> contestants = Contestants(Split(strategies));
  if (!contestants.ok()) return Fail(contestants.status());
  std::vector<Scenario> scenarios = AgreementScenarios();
  if (arguments.calls > 0) {
    for (Scenario& scenario : scenarios) scenario = scenario.Shortened(arguments.calls);
  }
  const std::size_t all = scenarios.size() * (contestants->size() + 1);
  Result<std::vector<Agreement>> agreements = Internal("not run");
  {
    Progress progress(arguments.progress);
    std::size_t done = 0;
    agreements = CheckAgreement(scenarios, *contestants,
                                [&](const std::string& what) { progress.Tell(done++, all, what); });
  }
  if (!agreements.ok()) return Fail(agreements.status());
  std::printf("%s", AgreementText(*agreements).c_str());
  const bool holds = std::all_of(agreements->begin(), agreements->end(),
                                 [](const Agreement& each) { return each.holds(); });
  return holds ? kOk : kFailed;
}

int Show(const std::string& name) {
  const Result<Scenario> scenario = FindScenario(name);
  if (!scenario.ok()) return Fail(scenario.status());
  std::printf("%s", std::string(BuiltinScenarioText(name)).c_str());
  return kOk;
}

int List() {
  std::printf("Scenarios:\n");
  for (const Scenario& scenario : BuiltinScenarios()) {
    std::printf("  %-4s %s\n", scenario.name.c_str(), scenario.title.c_str());
  }
  std::printf("Strategies:\n");
  for (const std::string& name : LoadBalances().Names()) std::printf("  %s\n", name.c_str());
  std::printf("Decorators:\n");
  for (const std::string& name : LoadBalances().DecoratorNames())
    std::printf("  %s\n", name.c_str());
  std::printf("Oracles:\n  oracle\n  keyed_oracle\n");
  return kOk;
}

int Main(int argc, char** argv) {
  InstallLabStrategies();
  CLI::App app{"Compares load-balance strategies: the functions that channels call, in scenarios.",
               "strategy-lab"};
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* const sim = app.add_subcommand("sim", "Simulates scenarios and shows all figures");
  sim->add_option("scenario", arguments.scenarios, "Names (see list) or files")->required();
  AddOptions(*sim, arguments, 1, 0);
  CLI::App* const compare =
      app.add_subcommand("compare", "Simulates strategies in many scenarios: one table");
  compare->add_option("--scenarios", arguments.scenario_list,
                      "Names or files, separated by commas; all of them by default");
  constexpr int kCompareCalls = 25'000;
  AddOptions(*compare, arguments, 5, kCompareCalls);
  CLI::App* const live = app.add_subcommand(
      "live", "Runs scenarios with real servers and channels; the oracle is simulated");
  live->add_option("scenario", arguments.scenarios, "Names (see list) or files")->required();
  AddOptions(*live, arguments, 1, 0);
  CLI::App* const agree = app.add_subcommand(
      "agree", "Runs A and B with four servers live and simulated: are they within 15 %?");
  agree->add_option("--strategies", arguments.strategies, "Separated by commas")
      ->default_str("random,round_robin,least_active,p2c");
  agree->add_option("--calls", arguments.calls, "Shorten each run to about so many calls")
      ->check(CLI::Range(100.0, 1e9));
  agree->add_flag("--progress", arguments.progress, "Show progress even if there is no terminal");
  CLI::App* const show =
      app.add_subcommand("show", "Shows the text of a scenario, to start one's own from");
  show->add_option("scenario", arguments.scenarios, "Its name (see list)")->required()->expected(1);
  CLI::App* const list = app.add_subcommand("list", "Shows scenarios, strategies and decorators");
  const std::string first = argc > 1 ? argv[1] : "-";
  const std::vector<std::string> known = {"sim", "compare", "live", "agree", "show", "list"};
  if (first[0] != '-' && std::find(known.begin(), known.end(), first) == known.end()) {
    return Fail(InvalidArgument("unknown command '" + first +
                                "'; known: sim, compare, live, agree, show, list; see strategy-lab "
                                "--help"));
  }
  if (const int code = bench::Parse(app, argc, argv); code >= 0) return code;
  if (*list) return List();
  if (*show) return Show(arguments.scenarios.front());
  SetLogLevel(LogLevel::kError);
  if (*agree) return Agree(arguments);
  if (arguments.seeds == 0) arguments.seeds = *compare ? 5 : 1;
  if (arguments.calls == 0 && *compare) arguments.calls = kCompareCalls;
  const Command command = *compare ? Command::kCompare : *live ? Command::kLive : Command::kSim;
  return Contest(arguments, command, bench::CommandLine(argc, argv));
}

}  // namespace
}  // namespace weir::lab

int main(int argc, char** argv) {
  return weir::lab::Main(argc, argv);
}
