// What bench-engine prints of its figures.
#pragma once

#include <vector>

#include "engine/cases.h"
#include "engine/contestant.h"
#include "harness/results.h"

namespace weir::bench {

void PrintHeader();
// The lines of a case: each contestant's figure, weir's ratio to it, the goal and whether it is
// met.
void PrintCase(const Results& results, const Case& the_case, const std::vector<Entry>& entries);
// How many goals were judged and met, and those that were missed.
void PrintVerdict(const Results& results);
// Adds to the results, as weir's: ratio_to_<rival>, and for every goal that could be judged
// goal_<rival> (its bound) and met_<rival> (1 or 0); without a rival goal and met.
void AddRatiosAndGoals(Results& results, const std::vector<Entry>& entries);

}  // namespace weir::bench
