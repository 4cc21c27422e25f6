#include "table.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "fleet.h"

namespace weir::bench {
namespace {

constexpr int kSizes[] = {10, 100, 1000};

// Nanoseconds for 10, 100 and 1000 providers; 0: no goal.
struct Goal {
  const char* group;  // "Pick/random"
  double goals[3];
  const char* naive;  // null: none
  const char* what;   // the naive form is
};

constexpr Goal kGoals[] = {
    {"Pick/random", {4, 4, 4}, "Naive/random", "mt19937_64"},
    {"Pick/weighted_random", {8, 8, 8}, "Naive/weighted_random", "linear scan"},
    {"Pick/round_robin", {3, 3, 3}, "Naive/round_robin", "shared counter"},
    {"Pick/round_robin_weighted", {5, 5, 5}, "Naive/round_robin_weighted", "smooth weighted"},
    {"Pick/least_active", {10, 36, 75}, "Naive/least_active", "plain scan"},
    {"Pick/least_active_weighted", {}, "Naive/least_active", "plain scan"},
    {"Pick/p2c", {10, 10, 10}, nullptr, ""},
    {"Pick/p2c_ewma", {15, 15, 15}, "Naive/p2c_ewma", "with exp"},
    {"Pick/consistent_hash", {8, 10, 11}, "Naive/consistent_hash", "std::map"},
    {"Pick/consistent_hash_weighted",
     {8, 10, 11},
     "Naive/consistent_hash_lower_bound",
     "std::lower_bound"},
    {"Pick/maglev", {3, 3, 3}, nullptr, ""},
    {"Build/weighted_random", {0, 0, 60e3}, nullptr, ""},
    {"Build/round_robin_weighted", {0, 0, 60e3}, nullptr, ""},
    {"Build/least_active_weighted", {0, 0, 60e3}, nullptr, ""},
    {"Build/consistent_hash", {0, 0, 2.5e6}, "Naive/Build/consistent_hash", "std::map"},
    {"Rebuild/consistent_hash", {0, 0, 0.5e6}, "Naive/Build/consistent_hash", "std::map"},
};

constexpr double kWholePath = 25;
constexpr double kWholePathTwoThreads = 40;

std::string Time(double ns) {
  if (ns <= 0) return "-";
  char text[32];
  if (ns < 10e3) {
    std::snprintf(text, sizeof text, "%.3g ns", ns);
  } else {
    std::snprintf(text, sizeof text, "%.3g us", ns / 1000);
  }
  return text;
}

void PrintRow(const Recorder& recorder, const Goal& goal, const std::string& suffix) {
  std::printf("%-36s", (goal.group + suffix).c_str());
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string size = "/" + std::to_string(kSizes[i]);
    const double ours = recorder.Median(goal.group + size + suffix);
    std::printf(" | %9s %-9s", Time(ours).c_str(),
                goal.goals[i] > 0 ? ("(" + Time(goal.goals[i]) + ")").c_str() : "");
    if (goal.naive == nullptr) continue;
    const double naive = recorder.Median(goal.naive + size);
    if (ours > 0 && naive > 0) {
      std::printf(" %5.1fx", naive / ours);
    } else {
      std::printf("  %5s", "-");
    }
  }
  if (goal.naive != nullptr) std::printf(" | %s", goal.what);
  std::printf("\n");
}

}  // namespace

void Recorder::ReportRuns(const std::vector<Run>& runs) {
  ConsoleReporter::ReportRuns(runs);
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration || run.error_occurred || run.iterations == 0) continue;
    std::string name = run.run_name.function_name + "/" + run.run_name.args;
    if (!run.run_name.threads.empty()) name += "/" + run.run_name.threads;
    times_[name].push_back(run.cpu_accumulated_time / static_cast<double>(run.iterations) * 1e9);
  }
}

double Recorder::Median(const std::string& name) const {
  const auto found = times_.find(name);
  if (found == times_.end()) return -1;
  std::vector<double> times = found->second;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

std::vector<std::string> Recorder::Groups(const std::string& prefix) const {
  std::set<std::string> groups;
  for (const auto& [name, times] : times_) {
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    groups.insert(name.substr(0, name.find('/', prefix.size())));
  }
  return {groups.begin(), groups.end()};
}

void PrintTable(const Recorder& recorder) {
  std::printf(
      "\nMedian CPU time of one operation, the goal in brackets, and how many times as long the\n"
      "naive form takes; at 10, 100 and 1000 providers. A call that picks nothing costs %s of\n"
      "each pick.\n\n",
      Time(recorder.Median("Harness/10")).c_str());
  std::set<std::string> shown;
  for (const Goal& goal : kGoals) {
    PrintRow(recorder, goal, "");
    shown.insert(goal.group);
  }
  for (const char* prefix : {"Pick/", "Build/", "Rebuild/"}) {
    for (const std::string& group : recorder.Groups(prefix)) {
      if (shown.count(group) == 0) PrintRow(recorder, {group.c_str(), {}, nullptr, ""}, "");
    }
  }
  std::printf("\nThe whole path: list, sequence number, random word, pick, and counting.\n\n");
  for (const std::string& group : recorder.Groups("WholePath/")) {
    PrintRow(recorder, {group.c_str(), {kWholePath, kWholePath, kWholePath}, nullptr, ""}, "");
  }
  std::printf("\nTwo threads, each counting in its own cells: time of each thread.\n\n");
  for (const std::string& group : recorder.Groups("Pick/")) {
    PrintRow(recorder, {group.c_str(), {}, nullptr, ""}, "/threads:2");
  }
  PrintRow(recorder, {"Naive/round_robin", {}, nullptr, ""}, "/threads:2");
  for (const std::string& group : recorder.Groups("WholePath/")) {
    constexpr double kGoal = kWholePathTwoThreads;
    PrintRow(recorder, {group.c_str(), {kGoal, kGoal, kGoal}, nullptr, ""}, "/threads:2");
  }
}

}  // namespace weir::bench
