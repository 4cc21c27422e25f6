// Child: server and client of a benchmark in processes of their own, on cores of their own, and
// what they cost.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "harness/window.h"

namespace weir::bench {

// A server in a process of its own, which leads a process group of its own. A resource; killed with
// its group when it goes out of scope, and with this process whatever becomes of it.
class ServerProcess {
 public:
  using Ready = std::function<void(std::uint16_t port)>;
  // Forks. `serve` calls `ready` once it listens, and need not return. On `core` alone if given.
  ServerProcess(const std::function<void(const Ready&)>& serve, std::optional<int> core);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // 0: it ended before it listened; its own words stand on standard error.
  std::uint16_t port() const noexcept { return port_; }
  pid_t pid() const noexcept { return pid_; }
  // CPU seconds so far of it and of all processes of its group; exact to the clock, not to a tick.
  double CpuSeconds() const;
  // Memory of it and of all processes of its group.
  std::size_t ResidentBytes() const;

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

// What one run of a client found out.
struct Outcome {
  double calls_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
  double server_cpu_us = 0;  // per call
  double client_cpu_us = 0;
};

// Runs `drive` in a process of its own, on `core` alone if given, against `server`. CPU time counts
// from the beginning, or from when `drive` calls what it is given. Nothing if it failed; its own
// words stand on standard error.
std::optional<Outcome> RunClient(
    const ServerProcess& server,
    const std::function<Measurement(const std::function<void()>& begin)>& drive,
    std::optional<int> core);

// Lets this process and its children open as many descriptors as the hard limit allows; returns how
// many that is.
std::size_t RaiseDescriptorLimit();

// How many connections a benchmark of `wanted` can hold on either side when a process may have
// `descriptors`. A server of weir accepts up to 80 % of its descriptors.
std::size_t ConnectionsWithin(std::size_t descriptors, std::size_t wanted);

}  // namespace weir::bench
