// The cases of bench-engine: what each one's figure is, and what weir's is meant to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/results.h"

namespace weir::bench {

// A figure that stands beside the one that counts.
struct Extra {
  std::string metric;
  std::string text;  // printf's form of it
};

struct Case {
  std::string name;
  std::string title;
  std::string metric;  // the figure that counts
  std::string unit;
  std::string format;  // printf's
  bool more_is_better = true;
  std::vector<Extra> extras{};
  bool by_default = true;  // false: only when named in --only
};
const std::vector<Case>& AllCases();
const Case& CaseOf(std::string_view name);

// What weir's figure of a case is held to.
struct Goal {
  std::string the_case;
  std::string rival;       // a contestant; empty: the figure itself has a bound
  std::string rival_case;  // empty: the same
  bool at_least = true;    // the ratio to the rival's, or the figure, is to be at least `bound`
  double bound = 0;
};
const std::vector<Goal>& Goals();

struct Verdict {
  double value = 0;  // the ratio, or the figure
  bool met = false;
};
// Nothing if a figure of it was not measured.
std::optional<Verdict> Judge(const Results& results, const Goal& goal);
// How many times better weir's figure of a case is than that of `rival` (in `rival_case`).
std::optional<double> TimesBetter(const Results& results, const Case& the_case,
                                  const std::string& rival, const std::string& rival_case);

inline constexpr char kOurs[] = "weir";

}  // namespace weir::bench
