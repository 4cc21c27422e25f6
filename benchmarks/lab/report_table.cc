#include "lab/report_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

namespace weir::lab {
namespace {

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string RatioText(double ratio) {
  return std::isnan(ratio) ? "-" : Fixed(ratio, ratio < 9.995 ? 2 : 1);
}

}  // namespace

void TextTable::Add(std::vector<std::string> line) {
  lines_.push_back(std::move(line));
}

std::string TextTable::ToString() const {
  std::vector<std::size_t> widths;
  for (const auto& line : lines_) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines_) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string gap(widths[i] - line[i].size(), ' ');
      text += i == 0 ? line[i] + gap : "  " + gap + line[i];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

std::string FigureText(double value, int digits) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return "never";
  if (value == 0) return "0";
  const int before = value >= 1 ? static_cast<int>(std::floor(std::log10(value))) + 1 : 1;
  return Fixed(value, std::clamp(digits - before, 0, 3));
}

std::string RoundText(const ContestResult::Round& round, bool with_pick_ns) {
  TextTable columns;
  std::vector<std::string> head = {"contestant", "p50 ms",     "p99 ms",  "p99.9 ms",
                                   "error %",    "p99/oracle", "spread",  "peak/avg",
                                   "probes",     "shed ms",    "remap %", "needless"};
  if (with_pick_ns) head.emplace_back("pick ns");
  columns.Add(std::move(head));
  for (const ContestResult::Entry& entry : round.entries) {
    const Cell& cell = entry.cell;
    std::vector<std::string> line = {entry.contestant,
                                     FigureText(cell.Median(&RunResult::p50_ms)),
                                     FigureText(cell.Median(&RunResult::p99_ms)),
                                     FigureText(cell.Median(&RunResult::p999_ms)),
                                     FigureText(cell.Median(&RunResult::error_percent)),
                                     RatioText(round.Ratio(entry, &RunResult::p99_ms)),
                                     FigureText(cell.Least(&RunResult::p99_ms)) + ".." +
                                         FigureText(cell.Most(&RunResult::p99_ms)),
                                     FigureText(cell.Median(&RunResult::peak_over_average)),
                                     FigureText(cell.Median(&RunResult::probes_per_call)),
                                     FigureText(cell.Median(&RunResult::shed_ms)),
                                     FigureText(cell.Median(&RunResult::remap_percent)),
                                     FigureText(cell.Median(&RunResult::needless_remap_percent))};
    if (with_pick_ns) line.push_back(FigureText(cell.Median(&RunResult::pick_ns)));
    columns.Add(std::move(line));
  }
  return columns.ToString();
}

std::string MatrixText(const ContestResult& result) {
  TextTable ratios;
  TextTable tails;
  std::vector<std::string> head = {"p99 / oracle's p99"};
  for (const ContestResult::Round& round : result.rounds) head.push_back(round.scenario.name);
  ratios.Add(head);
  head.front() = "p99 ms (error %)";
  tails.Add(head);
  for (const std::string& contestant : result.Contestants()) {
    std::vector<std::string> ratio_line = {contestant};
    std::vector<std::string> tail_line = {contestant};
    for (const ContestResult::Round& round : result.rounds) {
      const ContestResult::Entry* entry = round.Find(contestant);
      if (entry == nullptr) {
        ratio_line.emplace_back("-");
        tail_line.emplace_back("-");
        continue;
      }
      ratio_line.push_back(RatioText(round.Ratio(*entry, &RunResult::p99_ms)));
      const double errors = entry->cell.Median(&RunResult::error_percent);
      tail_line.push_back(FigureText(entry->cell.Median(&RunResult::p99_ms)) +
                          (errors > 0 ? " (" + FigureText(errors, 2) + ")" : ""));
    }
    ratios.Add(std::move(ratio_line));
    tails.Add(std::move(tail_line));
  }
  return ratios.ToString() + "\n" + tails.ToString();
}

std::string ToCsv(const ContestResult& result) {
  std::string text = "case,contestant,metric,median,least,most\n";
  const auto number = [](double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    return std::string(digits);
  };
  for (const ContestResult::Round& round : result.rounds) {
    for (const ContestResult::Entry& entry : round.entries) {
      for (const Metric& metric : Metrics()) {
        const double median = entry.cell.Median(metric.value);
        if (std::isnan(median)) continue;
        // A strategy's text may hold commas.
        text += round.scenario.name + ",\"" + entry.contestant + "\"," + std::string(metric.name) +
                "," + number(median) + "," + number(entry.cell.Least(metric.value)) + "," +
                number(entry.cell.Most(metric.value)) + "\n";
      }
    }
  }
  return text;
}

std::string ToJson(const ContestResult& result) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const auto add = [&](const auto& round, const auto& entry, std::string_view metric,
                       double value) {
    if (!std::isfinite(value)) return;
    rows.push_back({{"case", round.scenario.name},
                    {"contestant", entry.contestant},
                    {"metric", metric},
                    {"value", value}});
  };
  for (const ContestResult::Round& round : result.rounds) {
    for (const ContestResult::Entry& entry : round.entries) {
      for (const Metric& metric : Metrics()) {
        add(round, entry, metric.name, entry.cell.Median(metric.value));
      }
      add(round, entry, "p99_over_oracle", round.Ratio(entry, &RunResult::p99_ms));
    }
  }
  return rows.dump(1) + "\n";
}

}  // namespace weir::lab
