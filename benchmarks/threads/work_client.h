// The callers of bench-threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "harness/window.h"

namespace weir::bench {

enum class WorkMethod : std::uint8_t { kEcho, kSleep, kSleepOnWorker, kCompute };

struct WorkCase {
  std::string name;
  std::string what;  // for --help and the table
  WorkMethod method;
  std::uint32_t connections;           // that are called on
  std::uint32_t in_flight;             // on each of them
  bool with_idle_connections = false;  // beside them
};

// Calls on one reactor thread: first for `warm_up`, then measured for `time`. With `idle`
// connections beside them that were served once and are silent. Ends the process with a line on
// standard error if a call fails.
Measurement DriveWork(std::uint16_t port, const WorkCase& work, std::size_t idle,
                      const std::function<void()>& begin, std::chrono::nanoseconds warm_up,
                      std::chrono::nanoseconds time);

}  // namespace weir::bench
