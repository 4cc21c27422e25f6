// What a bench has measured, and how it is told.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "load.h"
#include "text.h"

namespace weir::tool {

// How calls were spread over providers, those of the warm-up and further attempts included; follows
// the channel's counters.
class ProviderShares {
 public:
  // What has been counted so far does not count.
  void Begin(const std::vector<ProviderState>& states);
  void Update(const std::vector<ProviderState>& states);
  // By address.
  const std::map<std::string, std::uint64_t>& calls() const noexcept { return calls_; }

 private:
  std::map<std::string, std::uint64_t> seen_;
  std::map<std::string, std::uint64_t> calls_;
};

struct Measured {
  std::string target;
  std::string method;
  LoadPlan plan;
  std::uint32_t threads = 1;
  std::uint32_t connections = 1;
  double seconds = 0;
  bool interrupted = false;
  std::size_t request_bytes = 0;  // of each request's message
  Tally tally;
  std::map<std::string, std::uint64_t> providers;
};

// Lines for people; with the latencies as bars, if asked.
std::string ReportText(const Measured& measured, bool histogram);
// One object for programs; the buckets are in it if asked for.
std::string ReportJson(const Measured& measured, bool histogram);
// "12345 calls/s  0 errors  p50 0.1 ms  p99 0.3 ms", of one second.
std::string ProgressText(const Tally& tally, double seconds);

}  // namespace weir::tool
