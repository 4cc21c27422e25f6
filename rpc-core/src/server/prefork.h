// Prefork: a master process that keeps a set of worker processes running.
//
// Modelled on nginx: the master serves nothing and holds the listening sockets, so that connections
// wait in them while a worker is replaced. It has one thread, so that it may fork at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "weir/status.h"

namespace weir {

// What the processes do. Each function says where it is called.
struct PreforkWork {
  std::uint32_t workers = 1;
  std::string address;  // for the log
  std::chrono::nanoseconds drain_notice{};
  std::chrono::nanoseconds drain_timeout{};

  // In a new worker: begins to serve on the socket of that slot. The names of its services.
  std::function<Result<std::vector<std::string>>(std::uint32_t slot)> serve;
  // In a worker that must go: finishes what runs. `orphaned`: the master is gone, and nobody has
  // told the consumers.
  std::function<void(bool orphaned)> drain;

  // In the registrar, a child that has the threads of the registries: announces these services, and
  // takes that back. Empty if there is nothing to announce.
  std::function<Status(const std::vector<std::string>& services)> announce;
  std::function<void()> withdraw;

  // In the master, when it no longer needs them.
  std::function<void()> close_sockets;
};

// Runs the processes until SIGTERM or SIGINT, then withdraws, drains them and returns OK. SIGHUP
// replaces one worker after the other, each when its successor serves. A worker that dies is
// replaced, after a while if it did not live long. The status says why no worker comes up, or that
// some had to be killed. FAILED_PRECONDITION if this process has other threads: they would not
// survive a fork, but their locks would. The functions of `work` that run in children end with
// them.
Status RunPrefork(const PreforkWork& work);

}  // namespace weir
