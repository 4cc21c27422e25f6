#include "engine/report.h"

#include <cstdio>
#include <string>

namespace weir::bench {
namespace {

std::string Format(const std::string& format, double value) {
  char text[96];
  std::snprintf(text, sizeof text, format.c_str(), value);
  return text;
}

std::string BoundOf(const Goal& goal) {
  const std::string bound = Format(goal.at_least ? ">= %g" : "<= %g", goal.bound);
  return goal.rival.empty() ? bound : bound + "x";
}

void Print(const std::string& the_case, const std::string& contestant, const std::string& figure,
           const std::string& unit, const std::string& cpu, const std::string& ratio,
           const std::string& goal, const std::string& rest) {
  char text[256];
  std::snprintf(text, sizeof text, "%-17s %-12s %12s %-6s %8s %9s %9s  %s", the_case.c_str(),
                contestant.c_str(), figure.c_str(), unit.c_str(), cpu.c_str(), ratio.c_str(),
                goal.c_str(), rest.c_str());
  std::string line = text;
  line.erase(line.find_last_not_of(' ') + 1);
  std::puts(line.c_str());
}

// Of weir's row: goals without a rival, or with one of its own cases.
bool IsOwn(const Goal& goal) {
  return goal.rival.empty() || goal.rival == kOurs;
}

std::string ExtrasOf(const Results& results, const Case& the_case, const std::string& contestant) {
  std::string text;
  for (const Extra& extra : the_case.extras) {
    const double* value = results.Find(the_case.name, contestant, extra.metric, "");
    if (value != nullptr) text += (text.empty() ? "" : ", ") + Format(extra.text, *value);
  }
  return text;
}

// The name of a figure about a goal.
std::string GoalMetric(const char* what, const Goal& goal) {
  std::string name = what;
  if (!goal.rival.empty()) name += "_" + goal.rival;
  if (!goal.rival_case.empty()) name += "_" + goal.rival_case;
  return name;
}

}  // namespace

void PrintHeader() {
  Print("case", "contestant", "figure", "", "cpu us", "weir is", "goal", "");
}

void PrintCase(const Results& results, const Case& the_case, const std::vector<Entry>& entries) {
  std::printf("%s: %s\n", the_case.name.c_str(), the_case.title.c_str());
  for (const Entry& entry : entries) {
    if (!entry.takes_part(the_case.name)) continue;
    if (!entry.absent.empty()) {
      std::printf("%-17s %-12s absent (%s)\n", the_case.name.c_str(), entry.name.c_str(),
                  entry.absent.c_str());
      continue;
    }
    const double* figure = results.Find(the_case.name, entry.name, the_case.metric, "");
    if (figure == nullptr) {
      Print(the_case.name, entry.name, "-", "", "", "", "", "has no such thing");
      continue;
    }
    const double* cpu = results.Find(the_case.name, entry.name, "cpu_us_per_op", "");
    std::string ratio;
    if (entry.name != kOurs) {
      const auto times = TimesBetter(results, the_case, entry.name, "");
      if (times) ratio = Format("%.2fx", *times);
    }
    std::string goals;
    std::string rest;
    for (const Goal& goal : Goals()) {
      const bool here = goal.the_case == the_case.name &&
                        (IsOwn(goal) ? entry.name == kOurs : goal.rival == entry.name);
      const auto verdict = here ? Judge(results, goal) : std::nullopt;
      if (!verdict) continue;
      goals = BoundOf(goal);
      rest = verdict->met ? "met" : "MISSED";
      if (!goal.rival_case.empty()) {
        ratio = Format("%.2fx", verdict->value);
        rest += " (beside " + goal.rival_case + ")";
      }
    }
    const std::string extras = ExtrasOf(results, the_case, entry.name);
    if (!extras.empty()) rest += (rest.empty() ? "" : "; ") + extras;
    Print(the_case.name, entry.name, Format(the_case.format, *figure), the_case.unit,
          cpu == nullptr ? "" : Format("%.2f", *cpu), ratio, goals, rest);
  }
  std::puts("");
  std::fflush(stdout);
}

void PrintVerdict(const Results& results) {
  std::size_t judged = 0;
  std::size_t met = 0;
  std::string missed;
  for (const Goal& goal : Goals()) {
    const auto verdict = Judge(results, goal);
    if (!verdict) continue;
    ++judged;
    met += verdict->met ? 1 : 0;
    if (verdict->met) continue;
    missed += "  " + goal.the_case;
    if (!goal.rival.empty()) missed += " to " + goal.rival;
    if (!goal.rival_case.empty()) missed += "'s " + goal.rival_case;
    missed += ": " + Format(goal.rival.empty() ? "%.3g" : "%.2fx", verdict->value) + ", goal " +
              BoundOf(goal) + "\n";
  }
  if (judged == 0) return;
  std::printf("%zu of %zu goals met\n%s%s", met, judged, missed.empty() ? "" : "missed:\n",
              missed.c_str());
}

void AddRatiosAndGoals(Results& results, const std::vector<Entry>& entries) {
  std::vector<Row> rows;
  for (const Case& the_case : AllCases()) {
    for (const Entry& entry : entries) {
      const auto times = TimesBetter(results, the_case, entry.name, "");
      if (!times || entry.name == kOurs) continue;
      rows.push_back({the_case.name, kOurs, "ratio_to_" + entry.name, *times, "", ""});
    }
  }
  for (const Goal& goal : Goals()) {
    const auto verdict = Judge(results, goal);
    if (!verdict) continue;
    rows.push_back({goal.the_case, kOurs, GoalMetric("goal", goal), goal.bound, "", ""});
    rows.push_back(
        {goal.the_case, kOurs, GoalMetric("met", goal), verdict->met ? 1.0 : 0.0, "", ""});
  }
  for (Row& row : rows) results.Add(std::move(row));
}

}  // namespace weir::bench
