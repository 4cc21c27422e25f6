// Traffic: when calls are made, by whom, for which key, and how much work they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/event_queue.h"
#include "lab/random.h"
#include "lab/scenario.h"

namespace weir::lab {

// The part of all calls that each key gets, the most popular first; Zipf's law.
std::vector<double> KeyPopularity(const Scenario& scenario);

struct NewCall {
  Nanos time = 0;
  std::uint32_t client = 0;
  std::uint32_t key = 0;
  double work_ns = 0;
};

// An open loop: Poisson arrivals at the scenario's rate. The same for every contestant.
class Traffic {
 public:
  Traffic(const Scenario& scenario, std::uint64_t seed, Nanos start);
  // The next call, later than the one before.
  NewCall Next();

 private:
  const Scenario& scenario_;
  const double rate_;  // calls/ns
  const Nanos start_;
  double now_;
  Random arrivals_;
  Random work_;
  Random keys_;
  std::vector<double> key_sums_;
};

}  // namespace weir::lab
