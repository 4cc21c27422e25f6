// LiveServer: a ServerModel behind a real port, moved by the real clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lab/event_queue.h"
#include "lab/scenario.h"
#include "weir/runtime.h"
#include "weir/status.h"

namespace weir::lab {

// A provider of weir.lab.Worker on a free port of 127.0.0.1. A resource. Begin and picks may be
// called by any thread; everything else happens on the runtime's only reactor.
class LiveServer {
 public:
  // Listens at once.
  static Result<std::unique_ptr<LiveServer>> Start(std::shared_ptr<Runtime> runtime,
                                                   std::uint32_t number, const ServerGroup& group,
                                                   std::uint64_t seed);
  ~LiveServer();
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  const std::string& address() const noexcept { return address_; }
  // The course of the scenario begins at `start` (steady clock).
  void Begin(Nanos start);
  // Stops and tells when calls arrived.
  std::vector<Nanos> Stop();

 private:
  class Core;
  LiveServer();

  std::unique_ptr<Core> core_;
  std::string address_;
};

// Now, on the steady clock.
Nanos SteadyNow();

}  // namespace weir::lab
