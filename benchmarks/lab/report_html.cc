#include "lab/report_html.h"

#include <algorithm>
#include <cmath>

#include "lab/charts.h"
#include "lab/report_table.h"

namespace weir::lab {
namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Load-balance strategies compared</title>
<style>
:root { color-scheme: light dark; --back: #fff; --text: #1c2430; --soft: #5b6675; --line: #d9dee5; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --back: #11151b; --text: #e3e8ef; --soft: #97a3b3; --line: #2c3643; --card: #181e26; }
}
body { margin: 0 auto; max-width: 1200px; padding: 1.5rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem; }
h3 { font-size: .95rem; margin: .2rem 0 .5rem; }
p, li { color: var(--soft); max-width: 75ch; } code { color: var(--text); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .25rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.heat { color: #10151c; text-align: center; border: 2px solid var(--back); border-radius: 5px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem; }
svg { width: 100%; height: auto; font-size: 12px; } svg text { fill: var(--text); }
svg text.small { fill: var(--soft); font-size: 10.5px; } svg .grid { stroke: var(--line); }
.legend span { display: inline-block; margin-right: 1rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }
</style>
</head>
<body>
)";

// From green (as good as the oracle) over yellow (three times) to red (ten times and worse).
std::string HeatColour(double ratio) {
  const double part = std::clamp(std::log10(std::max(ratio, 1.0)), 0.0, 1.0);
  return Print("hsl(%.0f 70%% 66%%)", 140 * (1 - part));
}

std::string HeatCell(const ContestResult::Round& round, const ContestResult::Entry& entry) {
  const double ratio = round.Ratio(entry, &RunResult::p99_ms);
  if (std::isnan(ratio)) return "<td>-</td>";
  const Cell& cell = entry.cell;
  const double errors = cell.Median(&RunResult::error_percent);
  return "<td class=\"heat\" style=\"background:" + HeatColour(ratio) + "\" title=\"" +
         Escape(entry.contestant + " in " + round.scenario.name) + ": p50 " +
         FigureText(cell.Median(&RunResult::p50_ms)) + " ms, p99 " +
         FigureText(cell.Median(&RunResult::p99_ms)) + " ms, p99.9 " +
         FigureText(cell.Median(&RunResult::p999_ms)) + " ms, " + FigureText(errors) +
         " % failed\">" + Print(ratio < 9.995 ? "%.2f" : "%.1f", ratio) +
         (errors >= 0.005 ? Print("<br/><small>%s %% failed</small>", FigureText(errors, 2).c_str())
                          : "") +
         "</td>";
}

std::string HeatMap(const ContestResult& result, const std::vector<std::string>& names) {
  std::string html = "<div class=\"wide\"><table>\n<tr><th>strategy</th>";
  for (const ContestResult::Round& round : result.rounds) {
    html += "<th title=\"" + Escape(round.scenario.title) + "\"><a href=\"#s-" +
            Escape(round.scenario.name) + "\">" + Escape(round.scenario.name) + "</a></th>";
  }
  html += "</tr>\n";
  for (const std::string& name : names) {
    html += "<tr><td>" + Escape(name) + "</td>";
    for (const ContestResult::Round& round : result.rounds) {
      const ContestResult::Entry* entry = round.Find(name);
      html += entry == nullptr ? "<td>-</td>" : HeatCell(round, *entry);
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string Figures(const ContestResult::Round& round) {
  std::string html = "<div class=\"wide\"><table>\n<tr><th>contestant</th>";
  for (const Metric& metric : Metrics()) {
    std::string name(metric.name);
    std::replace(name.begin(), name.end(), '_', ' ');
    html += "<th>" + name + "</th>";
  }
  html += "</tr>\n";
  for (const ContestResult::Entry& entry : round.entries) {
    html += "<tr><td>" + Escape(entry.contestant) + "</td>";
    for (const Metric& metric : Metrics()) {
      const double median = entry.cell.Median(metric.value);
      html += "<td title=\"" + FigureText(entry.cell.Least(metric.value)) + " to " +
              FigureText(entry.cell.Most(metric.value)) + " over the seeds\">" +
              (metric.value == &RunResult::calls ? Print("%.0f", median) : FigureText(median)) +
              "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string Card(const std::string& title, const std::string& body) {
  return "<div class=\"card\"><h3>" + title + "</h3>\n" + body + "</div>\n";
}

std::string Section(const ContestResult::Round& round, const std::vector<std::string>& names) {
  const Scenario& scenario = round.scenario;
  std::string html = "<h2 id=\"s-" + Escape(scenario.name) + "\">" + Escape(scenario.name) + ": " +
                     Escape(scenario.title) + "</h2>\n";
  html += Print(
      "<p>%.0f calls/s by %u clients to %u servers; the work of a call is %s, the deadline "
      "%s, the network takes %s each way.</p>\n",
      scenario.Rate(), scenario.clients, scenario.server_count(),
      scenario.service.ToString().c_str(), TimeText(scenario.deadline).c_str(),
      TimeText(scenario.network).c_str());
  html += "<div class=\"charts\">\n";
  html += Card("99 of 100 calls took at most", TailBars(round, names));
  html += Card("Part of the calls that took longer than", TailCurves(round, names));
  html +=
      Card("Calls of each server: the darker the more, the average is a third", ServerLoads(round));
  html += "</div>\n<details><summary>All figures: medians of the seeds</summary>\n" +
          Figures(round) + "</details>\n";
  return html;
}

}  // namespace

std::string ToHtml(const ContestResult& result) {
  const std::vector<std::string> names = result.Contestants();
  std::string html = kHead;
  html += "<h1>Load-balance strategies compared</h1>\n";
  html +=
      std::string(
          "<p>Many clients call a fleet of servers; for each call a strategy picks the "
          "server. ") +
      (result.live ? "Calls went to real servers over real connections. "
                   : "Servers, network and clock are simulated; the picks are made by the very "
                     "functions that programs use. ") +
      "What matters is the slow end: the time that 99 of 100 calls do not exceed (p99). A call "
      "that fails or comes too late counts as if it had taken until its deadline. The oracle "
      "knows every queue and every speed at every moment; no real client can, and it shows what "
      "is possible.</p>\n";
  html += Print("<p>Medians of %d seeds. Made by <code>", result.seeds) + Escape(result.command) +
          "</code></p>\n";
  html +=
      "<h2>The tail as a multiple of the oracle's</h2>\n<p>1.00 (green) is as good as knowing "
      "everything; red is ten times slower, or worse. Rest the pointer on a cell for its "
      "figures.</p>\n";
  html += HeatMap(result, names);
  html += "<p class=\"legend\">";
  for (std::size_t i = 0; i < names.size(); ++i) {
    html += "<span><i style=\"background:" + ColourOf(i) + "\"></i>" + Escape(names[i]) + "</span>";
  }
  html += "</p>\n";
  for (const ContestResult::Round& round : result.rounds) html += Section(round, names);
  html +=
      "<h2>The ring of consistent_hash</h2>\n<p>Keys lie on a circle; each provider owns the arcs "
      "of its colour. Few virtual nodes make shares uneven, the default of 160 evens them out. A "
      "provider that leaves gives its arcs to its neighbours, and all other keys stay.</p>\n"
      "<div class=\"charts\">\n" +
      Card("Ten providers, four virtual nodes each", RingPicture(10, 4)) +
      Card("Ten providers, 160 virtual nodes each", RingPicture(10, 160)) + "</div>\n";
  return html + "</body>\n</html>\n";
}

}  // namespace weir::lab
