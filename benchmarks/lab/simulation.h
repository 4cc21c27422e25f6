// The simulator: one run of a scenario under one contestant, by discrete events.
#pragma once

#include <cstdint>

#include "lab/contestant.h"
#include "lab/metrics.h"
#include "lab/scenario.h"

namespace weir::lab {

// Each simulated client has its own snapshot and endpoints, and picks by the functions that
// channels call, under the simulated clock. The same scenario, contestant and seed give the same
// figures, bit for bit, except for pick_ns. All contestants meet the same calls with the same work
// at the same times.
RunResult Simulate(const Scenario& scenario, const Contestant& contestant, std::uint64_t seed);

}  // namespace weir::lab
