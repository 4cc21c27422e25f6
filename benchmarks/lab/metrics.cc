#include "lab/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weir::lab {
namespace {

constexpr Nanos kWindow = 20'000'000;
// Windows over which a server's share is looked at when it is asked whether it was shed.
constexpr std::size_t kWindows = 10;

double MedianOf(std::vector<double> values) {
  if (values.empty()) return kNotMeasured;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<double> Known(const std::vector<RunResult>& runs, double RunResult::*value) {
  std::vector<double> known;
  for (const RunResult& run : runs) {
    if (!std::isnan(run.*value)) known.push_back(run.*value);
  }
  return known;
}

// Of sorted latencies in 100 ns: the smallest that the part `q` of all does not exceed.
double QuantileMs(const std::vector<std::uint32_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::min(std::max<std::size_t>(rank, 1), sorted.size()) - 1] / 1e4;
}

}  // namespace

std::span<const Metric> Metrics() noexcept {
  static constexpr Metric kMetrics[] = {
      {"calls", &RunResult::calls, true},
      {"p50_ms", &RunResult::p50_ms, true},
      {"p99_ms", &RunResult::p99_ms, true},
      {"p999_ms", &RunResult::p999_ms, true},
      {"mean_ms", &RunResult::mean_ms, true},
      {"error_percent", &RunResult::error_percent, true},
      {"peak_over_average", &RunResult::peak_over_average, true},
      {"remap_percent", &RunResult::remap_percent, true},
      {"needless_remap_percent", &RunResult::needless_remap_percent, true},
      {"probes_per_call", &RunResult::probes_per_call, true},
      {"shed_ms", &RunResult::shed_ms, true},
      {"pick_ns", &RunResult::pick_ns, false},
  };
  return kMetrics;
}

double Cell::Median(double RunResult::*value) const {
  return MedianOf(Known(runs, value));
}

double Cell::Least(double RunResult::*value) const {
  const std::vector<double> known = Known(runs, value);
  return known.empty() ? kNotMeasured : *std::min_element(known.begin(), known.end());
}

double Cell::Most(double RunResult::*value) const {
  const std::vector<double> known = Known(runs, value);
  return known.empty() ? kNotMeasured : *std::max_element(known.begin(), known.end());
}

Recorder::Recorder(std::uint32_t servers, Nanos deadline, Nanos measured)
    : deadline_(deadline), measured_(measured), picks_(servers) {}

void Recorder::SetBad(std::vector<bool> bad, Nanos since) {
  bad_ = std::move(bad);
  bad_since_ = since;
}

void Recorder::OnPick(std::uint32_t server, Nanos now) noexcept {
  ++all_picks_;
  if (now >= measured_) ++picks_[server];
  if (bad_.empty() || now < bad_since_) return;
  const auto window = static_cast<std::size_t>((now - bad_since_) / kWindow);
  if (window >= window_picks_.size()) {
    window_picks_.resize(window + 1);
    window_bad_.resize(window + 1);
  }
  ++window_picks_[window];
  if (bad_[server]) ++window_bad_[window];
}

void Recorder::OnRemap(double moved, double needless) {
  moved_ += moved;
  needless_ += needless;
  ++remaps_;
}

void Recorder::OnEnd(Nanos arrived, Nanos now, bool good) {
  if (arrived < measured_) return;
  if (!good) ++errors_;
  const Nanos taken = good ? std::min(now - arrived, deadline_) : deadline_;
  latencies_.push_back(static_cast<std::uint32_t>(std::min<Nanos>(taken / 100, ~std::uint32_t{0})));
}

double Recorder::ShedMs() const {
  if (bad_.empty()) return kNotMeasured;
  const auto bad = static_cast<double>(std::count(bad_.begin(), bad_.end(), true));
  const double limit = bad / static_cast<double>(bad_.size()) / 2;
  for (std::size_t from = 0; from + kWindows <= window_picks_.size(); ++from) {
    const auto sum = [&](const std::vector<std::uint32_t>& windows) {
      const auto begin = windows.begin() + static_cast<std::ptrdiff_t>(from);
      return std::accumulate(begin, begin + kWindows, 0.0);
    };
    if (sum(window_bad_) <= limit * sum(window_picks_)) {
      return static_cast<double>(static_cast<Nanos>(from) * kWindow) / 1e6;
    }
  }
  return std::numeric_limits<double>::infinity();
}

RunResult Recorder::Result() {
  std::sort(latencies_.begin(), latencies_.end());
  RunResult result;
  const auto calls = static_cast<double>(latencies_.size());
  result.calls = calls;
  result.p50_ms = QuantileMs(latencies_, 0.5);
  result.p99_ms = QuantileMs(latencies_, 0.99);
  result.p999_ms = QuantileMs(latencies_, 0.999);
  if (calls > 0) {
    result.mean_ms = std::accumulate(latencies_.begin(), latencies_.end(), 0.0) / calls / 1e4;
    result.error_percent = 100 * static_cast<double>(errors_) / calls;
  }
  const double all = std::accumulate(picks_.begin(), picks_.end(), 0.0);
  const double average = all / static_cast<double>(picks_.size());
  for (const std::uint64_t picks : picks_) {
    result.shares.push_back(average > 0 ? static_cast<double>(picks) / average : 0);
    result.peak_over_average = std::max(result.peak_over_average, result.shares.back());
  }
  if (all_picks_ > 0) {
    result.probes_per_call = static_cast<double>(probes_) / static_cast<double>(all_picks_);
  }
  if (remaps_ > 0) {
    result.remap_percent = 100 * moved_ / remaps_;
    result.needless_remap_percent = 100 * needless_ / remaps_;
  }
  result.shed_ms = ShedMs();
  for (int i = 1; i < 100; ++i)
    result.cdf.push_back({QuantileMs(latencies_, i / 100.0), i / 100.0});
  for (int i = 1; i < 10; ++i) {
    result.cdf.push_back({QuantileMs(latencies_, 0.99 + i / 1000.0), 0.99 + i / 1000.0});
  }
  for (int i = 1; i < 10; ++i) {
    result.cdf.push_back({QuantileMs(latencies_, 0.999 + i / 10000.0), 0.999 + i / 10000.0});
  }
  return result;
}

}  // namespace weir::lab
