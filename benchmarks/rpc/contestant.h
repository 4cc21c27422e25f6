// What bench-rpc measures: an echo server in a process of its own, and a client that keeps a number
// of requests in flight on a number of connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/idle_connections.h"
#include "harness/window.h"

namespace weir::bench {

struct Workload {
  std::string name;  // "W2"
  std::uint32_t connections;
  std::uint32_t in_flight;  // per connection
  std::size_t payload_bytes;
};

class Contestant {
 public:
  using Ready = std::function<void(std::uint16_t port)>;
  virtual ~Contestant() = default;
  // Serves on any free port of the loopback, on one thread; calls `ready` with the port and does
  // not return.
  virtual void Serve(const Ready& ready) = 0;
  // Drives the server for `warm_up`, then measures for `time`, on one thread.
  virtual Measurement Drive(std::uint16_t port, const Workload& workload,
                            std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time) = 0;
  // How a client that will be idle introduces itself: the handshake and one echo of 16 bytes.
  virtual Hello IdleHello() = 0;
};

// A contestant as the command line knows it.
struct Entry {
  std::string name;
  std::unique_ptr<Contestant> (*make)();
  std::string absent;                   // why it is not there; empty: it is
  bool (*takes_part)(const Workload&);  // in a workload
  bool idle;                            // in the idle case
};
// All there are, the limit first; also those that this build could not have.
const std::vector<Entry>& Entries();

std::unique_ptr<Contestant> MakeBareEpoll();
std::unique_ptr<Contestant> MakeBareAsio();
std::unique_ptr<Contestant> MakeWeir();            // completion handlers
std::unique_ptr<Contestant> MakeWeirAttachment();  // the same, the payload as attachment
std::unique_ptr<Contestant> MakeWeirBlocking();    // a blocking stub; one call in flight at most
std::unique_ptr<Contestant> MakeGrpc();            // null in a build without it
std::unique_ptr<Contestant> MakeThrift();          // null in a build without it

}  // namespace weir::bench
