// The goals beside what was measured.
#pragma once

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <vector>

namespace weir::bench {

// Prints as usual, and keeps the times.
class Recorder : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override;
  // Median of a benchmark's repetitions, CPU nanoseconds per iteration; negative if it did not run.
  double Median(const std::string& name) const;
  // All names that begin so, without the number of providers, sorted.
  std::vector<std::string> Groups(const std::string& prefix) const;

 private:
  std::map<std::string, std::vector<double>> times_;
};

void PrintTable(const Recorder& recorder);

}  // namespace weir::bench
