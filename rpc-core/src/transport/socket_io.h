// SocketIo: how the bytes of a connection get from and to its socket. ReadinessIo is told by epoll
// when the socket is ready, and then reads and writes itself; RingIo has the kernel do it and is
// told when it is done.
#pragma once

#include <cstddef>

#include "buffer/outbox.h"

namespace weir {

// One per connection, owned by it; used on the connection's reactor. What it has under way holds a
// reference to the connection.
class SocketIo {
 public:
  virtual ~SocketIo() = default;

  // Reads while the connection wants input. To be called again when it does after it did not.
  virtual void Read() = 0;
  // The connection wants no input for now.
  virtual void PauseReading() {}

  // Writes what the outbox holds. If something is left in it, it leaves as soon as it can, and
  // Connection::GoOnWriting is called. With `now` the kernel is asked before this returns. Returns
  // 0, or the error that broke the connection.
  virtual int Write(bool now) = 0;
  // Bytes of the outbox of which it is not known yet whether they have left.
  virtual std::size_t in_doubt() const noexcept { return 0; }

  // Closes the socket. The connection is not called any more; what the kernel may still read of the
  // `unsent` output is taken out of it and kept.
  virtual void Close(Outbox& unsent) = 0;
  // Gives the socket away, all output being written; to be followed by Close.
  virtual int Release() = 0;
};

}  // namespace weir
