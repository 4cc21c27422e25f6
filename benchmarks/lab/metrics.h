// What a run is judged by.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "lab/event_queue.h"

namespace weir::lab {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

struct CdfPoint {
  double ms = 0;
  double part = 0;  // of all calls that took no longer
};

// One run of one contestant. Latencies are those of all calls; one that failed or came too late
// counts as the deadline. Figures that a run does not have are kNotMeasured.
struct RunResult {
  double calls = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double mean_ms = 0;
  double error_percent = 0;
  double peak_over_average = 0;         // calls of the busiest server over the average of all
  double remap_percent = kNotMeasured;  // of keys that moved at a change of the list
  double needless_remap_percent = kNotMeasured;  // and neither had to leave nor to come
  double probes_per_call = 0;
  double shed_ms =
      kNotMeasured;  // until a bad server gets less than half its share; infinity: never
  double pick_ns = kNotMeasured;  // of real time, and so different in each run
  double events = 0;
  std::vector<double> shares;  // of the calls, by server, 1 being the average
  std::vector<CdfPoint> cdf;
};

struct Metric {
  std::string_view name;  // as in files
  double RunResult::*value;
  bool reproducible;  // from the seed alone
};
std::span<const Metric> Metrics() noexcept;

// Several runs of a contestant in one scenario, one for each seed.
struct Cell {
  std::vector<RunResult> runs;

  // Over the runs that have this figure; kNotMeasured if none has.
  double Median(double RunResult::*value) const;
  double Least(double RunResult::*value) const;
  double Most(double RunResult::*value) const;
};

// Collects what happens to calls during a run.
class Recorder {
 public:
  // `measured`: when calls begin to count.
  Recorder(std::uint32_t servers, Nanos deadline, Nanos measured);

  // `bad` servers are those that should be shed, from `since`.
  void SetBad(std::vector<bool> bad, Nanos since);
  void OnPick(std::uint32_t server, Nanos now) noexcept;
  void OnProbes(std::size_t count) noexcept { probes_ += count; }
  void OnRemap(double moved, double needless);
  void OnEnd(Nanos arrived, Nanos now, bool good);
  RunResult Result();

 private:
  double ShedMs() const;

  const Nanos deadline_;
  const Nanos measured_;
  std::vector<std::uint32_t> latencies_;  // in 100 ns
  std::vector<std::uint64_t> picks_;      // by server
  std::uint64_t all_picks_ = 0;           // with those of the warm-up
  std::uint64_t probes_ = 0;
  std::uint64_t errors_ = 0;
  std::vector<bool> bad_;
  Nanos bad_since_ = 0;
  std::vector<std::uint32_t> window_picks_;  // since then, by windows of kWindow
  std::vector<std::uint32_t> window_bad_;
  double moved_ = 0;
  double needless_ = 0;
  int remaps_ = 0;
};

}  // namespace weir::lab
