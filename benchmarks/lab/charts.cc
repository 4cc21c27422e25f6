#include "lab/charts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "lab/report_table.h"

namespace weir::lab {
namespace {

// A logarithmic axis between two powers of ten.
class LogAxis {
 public:
  LogAxis(double least, double most, double from, double to)
      : low_(std::floor(std::log10(std::max(least, 1e-6)))),
        high_(std::max(std::ceil(std::log10(std::max(most, 1e-6)) - 1e-9), low_ + 1)),
        from_(from),
        to_(to) {}
  double At(double value) const {
    const double part = (std::log10(std::max(value, 1e-9)) - low_) / (high_ - low_);
    return from_ + std::clamp(part, 0.0, 1.0) * (to_ - from_);
  }
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    for (double power = low_; power <= high_ + 0.5; ++power) ticks.push_back(std::pow(10, power));
    return ticks;
  }

 private:
  const double low_;
  const double high_;
  const double from_;
  const double to_;
};

std::size_t PlaceOf(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

std::string Print(const char* format, ...) {
  std::array<char, 1024> text;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  return text.data();
}

std::string Escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string ColourOf(std::size_t i) {
  // Turns of the golden angle, so that neighbours differ; two shades.
  const double hue = std::fmod(210 + static_cast<double>(i) * 137.508, 360);
  return Print("hsl(%.0f 65%% %d%%)", hue, i % 2 == 0 ? 50 : 42);
}

std::string TailBars(const ContestResult::Round& round, const std::vector<std::string>& names) {
  struct Bar {
    const ContestResult::Entry* entry;
    double p99;
  };
  std::vector<Bar> bars;
  double least = 1e9;
  double most = 0;
  for (const ContestResult::Entry& entry : round.entries) {
    bars.push_back({&entry, entry.cell.Median(&RunResult::p99_ms)});
    least = std::min(least, bars.back().p99);
    most = std::max(most, bars.back().p99);
  }
  std::stable_sort(bars.begin(), bars.end(),
                   [](const Bar& a, const Bar& b) { return a.p99 < b.p99; });
  constexpr int kLeft = 190;
  constexpr int kRight = 430;
  constexpr int kStep = 20;
  const LogAxis axis(least / 2, most, kLeft, kRight);
  const int height = static_cast<int>(bars.size()) * kStep;
  std::string svg =
      Print("<svg viewBox=\"0 0 560 %d\" role=\"img\" aria-label=\"p99 of each contestant\">\n",
            height + 24);
  for (const double tick : axis.Ticks()) {
    svg += Print(
        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"/>"
        "<text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g ms</text>\n",
        axis.At(tick), axis.At(tick), height, axis.At(tick), height + 16, tick);
  }
  int y = 0;
  for (const Bar& bar : bars) {
    const std::string& name = bar.entry->contestant;
    const double errors = bar.entry->cell.Median(&RunResult::error_percent);
    svg += Print("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", kLeft - 6, y + 14) +
           Escape(name.substr(0, 28)) + "</text>";
    svg += Print("<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" rx=\"2\" fill=\"%s\"/>",
                 kLeft, y + 3, std::max(1.0, axis.At(bar.p99) - kLeft),
                 ColourOf(PlaceOf(names, name)).c_str());
    svg += Print("<text x=\"%.1f\" y=\"%d\">%s%s</text>\n", axis.At(bar.p99) + 5, y + 14,
                 FigureText(bar.p99).c_str(),
                 errors > 0 ? (", " + FigureText(errors, 2) + " % failed").c_str() : "");
    y += kStep;
  }
  return svg + "</svg>\n";
}

std::string TailCurves(const ContestResult::Round& round, const std::vector<std::string>& names) {
  constexpr double kWidth = 560;
  constexpr double kHeight = 300;
  constexpr double kLeft = 52;
  constexpr double kBottom = 266;
  double most = 1;
  double least = 1e9;
  for (const ContestResult::Entry& entry : round.entries) {
    if (entry.cell.runs.empty() || entry.cell.runs.front().cdf.empty()) continue;
    most = std::max(most, entry.cell.runs.front().cdf.back().ms);
    least = std::min(least, std::max(entry.cell.runs.front().cdf[9].ms, 0.01));
  }
  const LogAxis x(least, most, kLeft, kWidth - 26);
  const LogAxis y(1e-4, 1, kBottom, 10);
  std::string svg =
      Print("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"latency distributions\">\n",
            kWidth, kHeight);
  for (const double tick : x.Ticks()) {
    svg += Print(
        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"10\" y2=\"%.0f\"/>"
        "<text class=\"small\" x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">%g ms</text>\n",
        x.At(tick), x.At(tick), kBottom, x.At(tick), kBottom + 16, tick);
  }
  for (const double tick : y.Ticks()) {
    svg += Print(
        "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"small\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%g %%</text>\n",
        kLeft, kWidth - 26, y.At(tick), y.At(tick), kLeft - 5, y.At(tick) + 4, tick * 100);
  }
  for (const ContestResult::Entry& entry : round.entries) {
    if (entry.cell.runs.empty()) continue;
    const bool is_oracle = entry.contestant == entry.oracle;
    std::string points;
    for (const CdfPoint& point : entry.cell.runs.front().cdf) {
      points += Print("%.1f,%.1f ", x.At(point.ms), y.At(1 - point.part));
    }
    svg += Print("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s points=\"",
                 ColourOf(PlaceOf(names, entry.contestant)).c_str(), is_oracle ? "2.5" : "1.6",
                 is_oracle ? " stroke-dasharray=\"5 3\"" : "") +
           points + "\"><title>" + Escape(entry.contestant) + "</title></polyline>\n";
  }
  return svg + "</svg>\n";
}

std::string ServerLoads(const ContestResult::Round& round) {
  constexpr int kLeft = 190;
  constexpr double kWidth = 350;
  constexpr std::size_t kMost = 100;  // of servers; more are drawn as averages of neighbours
  std::string body;
  int y = 0;
  for (const ContestResult::Entry& entry : round.entries) {
    if (entry.cell.runs.empty()) continue;
    const std::vector<double>& shares = entry.cell.runs.front().shares;
    const std::size_t cells = std::min(shares.size(), kMost);
    body += Print("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", kLeft - 6, y + 14) +
            Escape(entry.contestant.substr(0, 28)) + "</text>";
    for (std::size_t i = 0; i < cells; ++i) {
      const std::size_t from = i * shares.size() / cells;
      const std::size_t to = (i + 1) * shares.size() / cells;
      double share = 0;
      for (std::size_t s = from; s < to; ++s) share += shares[s] / static_cast<double>(to - from);
      const double width = kWidth / static_cast<double>(cells);
      const double part = std::min(share, 3.0) / 3;
      body += Print(
          "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"16\" fill=\"hsl(215 80%% 50%%)\" "
          "fill-opacity=\"%.3f\"><title>server %zu: %.2f</title></rect>",
          kLeft + static_cast<double>(i) * width, y + 2, std::max(width - 0.6, 0.5),
          0.04 + 0.96 * part, from, share);
    }
    body += "\n";
    y += 20;
  }
  return Print("<svg viewBox=\"0 0 560 %d\" role=\"img\" aria-label=\"calls of each server\">\n",
               y + 4) +
         body + "</svg>\n";
}

std::string RingPicture(std::uint32_t providers, std::uint32_t vnodes) {
  constexpr std::uint32_t kArcs = 4096;
  const Result<ConfiguredLoadBalance> balance =
      LoadBalances().Configure("consistent_hash:vnodes=" + std::to_string(vnodes));
  if (!balance.ok()) return {};
  std::vector<Provider> list;
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (std::uint32_t i = 0; i < providers; ++i) {
    list.push_back({.address = "10.0.0." + std::to_string(100 + i) + ":20880"});
    endpoints.push_back(std::make_shared<Endpoint>());
  }
  Snapshot snapshot(std::move(list), std::move(endpoints));
  balance->BuildTables(snapshot, nullptr);
  std::vector<Index> owners;
  std::vector<int> counts(providers, 0);
  for (std::uint64_t arc = 0; arc < kArcs; ++arc) {
    // The ring's position of a key is the upper half of its hash.
    const std::uint64_t hash = (arc << 32 | 1U << 31) << 20;
    const Index owner = balance->Pick({.key_hash = hash, .has_key = true}, snapshot, {});
    owners.push_back(owner);
    if (owner < providers) ++counts[owner];
  }
  constexpr double kTurn = 6.283185307179586;
  constexpr double kCentre = 120;
  constexpr double kRadius = 95;
  std::string svg = Print(
      "<svg viewBox=\"0 0 410 240\" role=\"img\" aria-label=\"ring of %u virtual nodes each\">\n",
      vnodes);
  for (std::uint32_t from = 0; from < kArcs;) {
    std::uint32_t to = from;
    while (to < kArcs && owners[to] == owners[from]) ++to;
    const double a = kTurn * from / kArcs - kTurn / 4;
    const double b = kTurn * to / kArcs - kTurn / 4;
    svg += Print(
        "<path d=\"M%.2f %.2f A%.0f %.0f 0 %d 1 %.2f %.2f\" fill=\"none\" stroke=\"%s\" "
        "stroke-width=\"34\"/>\n",
        kCentre + kRadius * std::cos(a), kCentre + kRadius * std::sin(a), kRadius, kRadius,
        to - from > kArcs / 2 ? 1 : 0, kCentre + kRadius * std::cos(b),
        kCentre + kRadius * std::sin(b), ColourOf(owners[from]).c_str());
    from = to;
  }
  svg += Print(
      "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%u virtual</text>"
      "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">nodes each</text>\n",
      kCentre, kCentre - 2, vnodes, kCentre, kCentre + 14);
  for (std::uint32_t i = 0; i < providers; ++i) {
    const double y = 20 + i * 20;
    svg += Print(
        "<rect x=\"250\" y=\"%.0f\" width=\"12\" height=\"12\" fill=\"%s\"/>"
        "<text x=\"268\" y=\"%.0f\">10.0.0.%u: %.1f %%</text>\n",
        y, ColourOf(i).c_str(), y + 11, 100 + i, 100.0 * counts[i] / kArcs);
  }
  return svg + "</svg>\n";
}

}  // namespace weir::lab
