// Results: the figures of a benchmark, and the file that has them for programs.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/child.h"

namespace weir::bench {

// One figure. "pinned" and "unpinned" runs of a case stand beside each other.
struct Row {
  std::string case_name;   // "W2"
  std::string contestant;  // "weir"
  std::string metric;      // "calls_per_s"
  double value = 0;
  std::string pinning;  // empty if that makes no difference
  std::string reason;   // of the metric "absent"
};

class Results {
 public:
  void Add(Row row) { rows_.push_back(std::move(row)); }
  const std::vector<Row>& rows() const noexcept { return rows_; }
  // Null if it was not measured.
  const double* Find(std::string_view case_name, std::string_view contestant,
                     std::string_view metric, std::string_view pinning) const noexcept;
  // An array of {"case", "contestant", "metric", "value"} and, where they are not empty, "pinning"
  // and "reason".
  std::string ToJson() const;

 private:
  std::vector<Row> rows_;
};

double Median(std::vector<double> values);

// The median of each field.
Outcome Median(const std::vector<Outcome>& outcomes);
// Adds the five metrics of an outcome: calls_per_s p50_us p99_us server_cpu_us client_cpu_us.
void AddOutcome(Results& results, const std::string& case_name, const std::string& contestant,
                const std::string& pinning, const Outcome& outcome);

// False after a line on standard error that names the file and why it cannot be written. An empty
// path asks for nothing and is fine.
bool CanWrite(const std::string& path);
bool WriteFile(const std::string& path, std::string_view text);

}  // namespace weir::bench
