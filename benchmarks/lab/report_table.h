// The results of a contest as text, and as files for programs.
#pragma once

#include <string>
#include <vector>

#include "lab/contest.h"

namespace weir::lab {

// Lines of cells, the first column to the left and the others to the right.
class TextTable {
 public:
  void Add(std::vector<std::string> line);
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> lines_;
};

// "79.3", "1000", "0.083"; "-" for what was not measured, "never" for infinity.
std::string FigureText(double value, int digits = 3);
// A scenario's contestants with all their figures.
std::string RoundText(const ContestResult::Round& round, bool with_pick_ns);
// Every contestant in every scenario: the tail (p99) as a ratio to the oracle, and as milliseconds
// with the part of calls that failed.
std::string MatrixText(const ContestResult& result);
// "case,contestant,metric,median,least,most" lines.
std::string ToCsv(const ContestResult& result);
// An array of {"case", "contestant", "metric", "value"}; value is the median.
std::string ToJson(const ContestResult& result);

}  // namespace weir::lab
