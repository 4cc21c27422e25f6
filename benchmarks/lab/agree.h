// Whether the simulator and live runs tell the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/contestant.h"
#include "lab/metrics.h"
#include "lab/scenario.h"

namespace weir::lab {

// How far a figure of a live run may be from the simulated one.
inline constexpr double kAgreement = 0.15;

struct Agreement {
  std::string scenario;
  Nanos network = 0;  // each way, as measured before
  std::string contestant;
  RunResult simulated;
  RunResult live;

  // live / simulated - 1.
  double Deviation(double RunResult::*value) const noexcept;
  // p50 and p99 are both within kAgreement.
  bool holds() const noexcept;
};

// A and B with four servers, small enough for two cores.
std::vector<Scenario> AgreementScenarios();
// Runs each contestant in each of them both ways, with one seed; the simulation with the
// time that the network of this machine takes. `tell` hears what comes next.
Result<std::vector<Agreement>> CheckAgreement(const std::vector<Scenario>& scenarios,
                                              const std::vector<Contestant>& contestants,
                                              const std::function<void(const std::string&)>& tell);
std::string AgreementText(const std::vector<Agreement>& agreements);

}  // namespace weir::lab
