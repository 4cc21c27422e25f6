// The seam between a connection, which knows bytes and a socket, and what is spoken on it, which
// knows neither.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string_view>

#include "weir/status.h"

namespace weir {

class Connection;
namespace wire {
class Scratch;
}

// One per connection, owned by it; called on the connection's reactor. Writes by appending to
// Connection::outbox() and calling Connection::Flush().
class Protocol {
 public:
  virtual ~Protocol() = default;

  // The connection is open and may be written to.
  virtual void OnOpen(Connection& connection) = 0;
  // Where the next bytes go; returns the number of vectors, at most 2.
  virtual int PrepareRead(wire::Scratch& scratch, iovec* vectors) = 0;
  // `bytes` have been read there. A failure closes the connection, after what the protocol still
  // wrote has left.
  virtual Status OnBytes(std::size_t bytes) = 0;
  // These bytes have been read elsewhere; valid during the call. Otherwise as OnBytes.
  virtual Status OnInput(std::string_view bytes) = 0;
  // All output has been written.
  virtual void OnDrained() = 0;
  // The connection is closed; the last call. `reason` is never OK.
  virtual void OnClosed(const Status& reason) = 0;
};

}  // namespace weir
