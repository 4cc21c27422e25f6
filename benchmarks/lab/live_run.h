// Live runs: the servers of a scenario behind real ports, its clients as real channels.
#pragma once

#include <cstdint>

#include "lab/contestant.h"
#include "lab/metrics.h"
#include "lab/scenario.h"

namespace weir::lab {

// Why a scenario cannot be run live; OK if it can. Servers that come and go are simulated only, and
// so are fleets too large for one machine.
Status CheckLive(const Scenario& scenario);

// Takes as long as the scenario. The same calls at the same intended times as in the simulation
// with that seed; a call's latency counts from when it should have started. All servers share one
// thread, all clients another. An oracle is simulated: nobody can know everything of real servers.
Result<RunResult> RunLive(const Scenario& scenario, const Contestant& contestant,
                          std::uint64_t seed);

}  // namespace weir::lab
