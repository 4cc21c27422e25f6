// Scenario: servers, clients and load, for the simulator and for live runs alike. The text form is
// documented in docs/strategy-lab.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lab/distribution.h"
#include "lab/event_queue.h"

namespace weir::lab {

// From a time on, a group has another speed.
struct SpeedChange {
  Nanos at = 0;
  double speed = 1;
};

// Servers that are alike: slots that work, and one FIFO queue before them.
struct ServerGroup {
  std::string name;
  std::uint32_t count = 1;
  std::uint32_t slots = 4;
  double speed = 1;  // a call of 5 ms takes 10 ms at speed 0.5
  std::vector<SpeedChange> speeds;
  std::int32_t weight = 100;
  std::string zone;
  // Pauses: nothing moves for pause_for; pause_every is the mean time between two. 0: none.
  Nanos pause_every = 0;
  Nanos pause_for = 0;
  // Antagonists: for a random time with the mean slow_for the speed is multiplied by slow_speed.
  Nanos slow_every = 0;
  Nanos slow_for = 0;
  double slow_speed = 0.25;
  // Fast failure: from fail_from to fail_until (0: for ever) this part of the calls fails after
  // fail_time of work.
  double fail = 0;
  Nanos fail_time = 100'000;
  Nanos fail_from = 0;
  Nanos fail_until = 0;
  // From when to when the servers of this group run (0: for ever).
  Nanos starts = 0;
  Nanos stops = 0;
  // Restarts, one server after the other: the first at restart_first, the next restart_every later;
  // each is gone for restart_for.
  Nanos restart_first = 0;
  Nanos restart_every = 0;
  Nanos restart_for = 0;
  // Churn: every churn_every a random server of the group restarts and is gone for churn_for.
  Nanos churn_every = 0;
  Nanos churn_for = 0;
  // Stops that are announced: the server leaves the list, and ends what it has, before it stops.
  bool graceful = true;
  // After a start the speed is multiplied by cold_speed for so long.
  Nanos cold_for = 0;
  double cold_speed = 0.25;
};

// From `from` to `from + length` the rate is multiplied by `factor`.
struct Phase {
  Nanos from = 0;
  Nanos length = 0;
  double factor = 1;
};

struct Scenario {
  std::string name;
  std::string title;
  Nanos duration = 20'000'000'000;  // after the warm-up
  Nanos warm_up = 2'000'000'000;    // calls made in it do not count
  Nanos deadline = 1'000'000'000;
  Nanos network = 100'000;       // one way
  Nanos discovery = 10'000'000;  // until clients know of a changed provider list
  std::uint64_t seed = 1;
  Distribution service;
  std::uint32_t clients = 10;
  double load = 0.7;  // part of the fleet's effective capacity
  double rate = 0;    // calls/s; 0: by `load`
  std::uint32_t attempts = 1;
  std::uint32_t keys = 0;   // 0: calls have no keys
  double key_exponent = 1;  // of their Zipf distribution
  std::vector<ServerGroup> servers;
  std::vector<Phase> phases;

  std::uint32_t server_count() const noexcept;
  // Calls/s that the fleet can answer in the long run: by slots, speed, antagonists, pauses, and
  // without what fails.
  double EffectiveCapacity() const noexcept;
  // Calls/s outside of phases.
  double Rate() const noexcept { return rate > 0 ? rate : load * EffectiveCapacity(); }
  // The same with every time of its course (duration, warm-up, phases, starts, restarts) multiplied
  // so that about `calls` are made; it never gets longer, nor shorter than 2.5 deadlines.
  Scenario Shortened(double calls) const;
  bool keyed() const noexcept { return keys > 0; }
};

// Reads the text form; `source` names it in messages. INVALID_ARGUMENT names source, line, and what
// is allowed there.
Result<Scenario> ParseScenario(std::string_view text, std::string_view source);
// The scenarios that come with the program, "A", "B", ...
const std::vector<Scenario>& BuiltinScenarios();
// The text of one of those; empty if there is none.
std::string_view BuiltinScenarioText(std::string_view name);
// One of those, or a file. NOT_FOUND lists the known names.
Result<Scenario> FindScenario(const std::string& name_or_path);

}  // namespace weir::lab
