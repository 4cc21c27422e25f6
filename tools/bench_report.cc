#include "bench_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace weir::tool {
namespace {

constexpr std::pair<const char*, double> kQuantiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
constexpr std::size_t kBarWidth = 50;

std::string Number(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string CodeName(std::size_t code) {
  return std::string(StatusCodeName(static_cast<StatusCode>(code)));
}

std::string Quantiles(const Histogram& latency) {
  std::string text;
  for (const auto& [name, q] : kQuantiles) {
    text += std::string(name) + " " + MicrosecondsText(latency.QuantileUs(q)) + "  ";
  }
  return text + "max " + MicrosecondsText(latency.MaxUs());
}

// Rows by steps of ten to a decade, or five where ten are too many; a bar for each.
std::string Bars(const Histogram& latency) {
  if (latency.count() == 0) return {};
  std::map<int, std::uint64_t> rows;  // by the exponent of the upper bound
  double steps = 10;
  for (;; steps /= 2) {
    rows.clear();
    latency.ForEachBucket([&](std::uint64_t upper_ns, std::uint64_t count) {
      rows[static_cast<int>(std::ceil(std::log10(static_cast<double>(upper_ns)) * steps))] += count;
    });
    if (rows.rbegin()->first - rows.begin()->first < 36 || steps < 5) break;
  }
  std::uint64_t most = 0;
  for (const auto& [row, count] : rows) most = std::max(most, count);
  std::string text = "up to\n";
  for (int row = rows.begin()->first; row <= rows.rbegin()->first; ++row) {
    const auto found = rows.find(row);
    const std::uint64_t count = found == rows.end() ? 0 : found->second;
    char line[96];
    std::snprintf(line, sizeof line, "%10s %6.2f %%  ",
                  MicrosecondsText(std::pow(10, row / steps) / 1e3).c_str(),
                  100.0 * static_cast<double>(count) / static_cast<double>(latency.count()));
    text += line;
    text.append((count * kBarWidth + most - 1) / most, '#');
    text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
  }
  return text;
}

Json QuantilesJson(const Histogram& latency) {
  return {{"mean", latency.MeanUs()},           {"p50", latency.QuantileUs(0.5)},
          {"p90", latency.QuantileUs(0.9)},     {"p99", latency.QuantileUs(0.99)},
          {"p99_9", latency.QuantileUs(0.999)}, {"max", latency.MaxUs()}};
}

}  // namespace

void ProviderShares::Begin(const std::vector<ProviderState>& states) {
  Update(states);
  calls_.clear();
  for (const ProviderState& state : states) calls_[state.address] = 0;
}

void ProviderShares::Update(const std::vector<ProviderState>& states) {
  for (const ProviderState& state : states) {
    std::uint64_t& seen = seen_[state.address];
    // A provider that was away for long begins anew.
    calls_[state.address] += state.calls >= seen ? state.calls - seen : state.calls;
    seen = state.calls;
  }
}

std::string ReportText(const Measured& measured, bool histogram) {
  const Tally& tally = measured.tally;
  const std::uint64_t ended = tally.ended();
  const double seconds = std::max(measured.seconds, 1e-9);
  std::string text = "calls      " + std::to_string(ended) + " in " + Number(seconds, 2) + " s";
  if (measured.interrupted) text += ", interrupted";
  text += "\nOK         " + std::to_string(tally.ok()) + ", " +
          Number(static_cast<double>(tally.ok()) / seconds, 1) + " per second\n";
  for (std::size_t code = 1; code < Tally::kCodes; ++code) {
    if (tally.by_code[code] == 0) continue;
    text += "failed     " + std::to_string(tally.by_code[code]) + " " + CodeName(code) +
            ", the first: " + Printable(tally.first_message[code]) + "\n";
  }
  if (tally.not_started > 0) {
    text += "dropped    " + std::to_string(tally.not_started) +
            " calls: too many were in flight to start them\n";
  }
  if (tally.in_flight > 0) {
    text += "unfinished " + std::to_string(tally.in_flight) + " calls, not waited for\n";
  }
  if (tally.ok() > 0) {
    text += "latency    " + Quantiles(tally.latency) + "  mean " +
            MicrosecondsText(tally.latency.MeanUs()) + "\n";
  }
  if (measured.plan.rate > 0 && tally.lateness.count() > 0) {
    text += "late       calls started later than scheduled by " + Quantiles(tally.lateness) + "\n";
  }
  const double sent = static_cast<double>(ended) * static_cast<double>(measured.request_bytes);
  const auto received = static_cast<double>(tally.reply_bytes);
  text += "messages   " + BytesText(sent) + " sent (" + BytesText(sent / seconds) + "/s), " +
          BytesText(received) + " received (" + BytesText(received / seconds) + "/s)\n";
  std::uint64_t all = 0;
  for (const auto& [address, calls] : measured.providers) all += calls;
  for (const auto& [address, calls] : measured.providers) {
    text += "provider   " + address + "  " + std::to_string(calls) + " calls";
    if (all > 0) {
      text +=
          ", " + Number(100.0 * static_cast<double>(calls) / static_cast<double>(all), 1) + " %";
    }
    text += "\n";
  }
  if (histogram) text += Bars(tally.latency);
  return text;
}

std::string ReportJson(const Measured& measured, bool histogram) {
  const Tally& tally = measured.tally;
  const double seconds = std::max(measured.seconds, 1e-9);
  const bool open = measured.plan.rate > 0;
  Json report = {{"target", measured.target},
                 {"method", measured.method},
                 {"loop", open ? "open" : "closed"},
                 {"concurrency", nullptr},
                 {"rate", nullptr},
                 {"threads", measured.threads},
                 {"connections", measured.connections},
                 {"seconds", measured.seconds},
                 {"interrupted", measured.interrupted},
                 {"calls", tally.ended()},
                 {"ok", tally.ok()},
                 {"ok_per_s", static_cast<double>(tally.ok()) / seconds},
                 {"failed", Json::object()},
                 {"dropped", tally.not_started},
                 {"unfinished", tally.in_flight},
                 {"latency_us", nullptr},
                 {"lateness_us", nullptr},
                 {"request_bytes", measured.request_bytes},
                 {"reply_bytes", tally.reply_bytes},
                 {"providers", Json::array()}};
  if (open) {
    report["rate"] = measured.plan.rate;
    report["lateness_us"] = QuantilesJson(tally.lateness);
  } else {
    report["concurrency"] = measured.plan.concurrency;
  }
  if (tally.ok() > 0) report["latency_us"] = QuantilesJson(tally.latency);
  for (std::size_t code = 1; code < Tally::kCodes; ++code) {
    if (tally.by_code[code] == 0) continue;
    report["failed"][CodeName(code)] = {{"calls", tally.by_code[code]},
                                        {"first", tally.first_message[code]}};
  }
  for (const auto& [address, calls] : measured.providers) {
    report["providers"].push_back({{"address", address}, {"calls", calls}});
  }
  if (histogram) {
    Json buckets = Json::array();
    tally.latency.ForEachBucket([&](std::uint64_t upper_ns, std::uint64_t count) {
      buckets.push_back({static_cast<double>(upper_ns) / 1e3, count});
    });
    report["histogram_us"] = std::move(buckets);
  }
  return JsonText(report);
}

std::string ProgressText(const Tally& tally, double seconds) {
  const std::uint64_t failed = tally.ended() - tally.ok();
  std::string text = Number(static_cast<double>(tally.ok()) / std::max(seconds, 1e-9), 0) + " OK/s";
  if (failed > 0) text += "  " + std::to_string(failed) + " failed";
  if (tally.ok() > 0) {
    text += "  p50 " + MicrosecondsText(tally.latency.QuantileUs(0.5)) + "  p99 " +
            MicrosecondsText(tally.latency.QuantileUs(0.99));
  }
  return text + "  " + std::to_string(tally.in_flight) + " in flight";
}

}  // namespace weir::tool
