// Contest: scenarios times contestants times seeds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/contestant.h"
#include "lab/metrics.h"
#include "lab/scenario.h"

namespace weir::lab {

// One run of a contestant: by simulation, or live.
using RunOnce = std::function<Result<RunResult>(const Scenario&, const Contestant&, std::uint64_t)>;
// How many runs are done, of how many, and what runs now.
using TellProgress =
    std::function<void(std::size_t done, std::size_t all, const std::string& what)>;

struct ContestPlan {
  std::vector<Scenario> scenarios;
  std::vector<Contestant> contestants;  // the oracles come by themselves
  int seeds = 5;                        // from the scenario's own on
  bool only_fitting = false;            // keyed contestants only where calls have keys
  bool with_oracles = true;
};

// What came of it.
struct ContestResult {
  struct Entry {
    std::string contestant;
    std::string oracle;  // whom it is measured against
    Cell cell;
  };
  struct Round {
    Scenario scenario;
    std::vector<Entry> entries;  // strategies first, then the oracles

    const Entry* Find(std::string_view contestant) const noexcept;
    // The median of an entry's figure over that of its oracle; kNotMeasured without one.
    double Ratio(const Entry& entry, double RunResult::*value) const;
  };
  std::vector<Round> rounds;
  std::string command;  // that makes it again
  int seeds = 0;
  bool live = false;

  // All contestants, in the order of their first appearance.
  std::vector<std::string> Contestants() const;
};

// The first error ends it.
Result<ContestResult> RunContest(const ContestPlan& plan, const RunOnce& run_once,
                                 const TellProgress& tell);

}  // namespace weir::lab
