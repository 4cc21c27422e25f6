// Ring: what a reactor of ThreadModel::kProactor has besides its event loop: the kernel receives
// and sends for it, and what a turn asks for leaves in one system call at its end.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "runtime/reactor.h"
#include "weir/status.h"

namespace weir {

// Something the kernel has been asked to do. Stays where it is until it has completed for the last
// time.
struct RingOperation {
  struct Outcome {
    int result;              // bytes or events, or an error below 0
    std::string_view bytes;  // received; valid during the call
    bool last;               // it has ended; otherwise there will be more outcomes
  };
  // On the reactor, within a turn.
  void (*complete)(RingOperation* operation, const Outcome& outcome) noexcept = nullptr;
};

// Everything is for the reactor's own thread. Requests are refused (false) once it has stopped.
class Ring : public TurnEnd {
 public:
  // UNIMPLEMENTED or UNAVAILABLE, with the reason, if this build, this kernel or whoever restricts
  // this process has no io_uring that will do.
  static Result<std::unique_ptr<Ring>> Open(Reactor& reactor);

  // By the reactor, before its loop runs and after it has: Stop returns when all operations have
  // completed.
  virtual void Start() = 0;
  virtual void Stop() = 0;

  // Receives again and again, into memory that belongs to the ring.
  virtual bool Receive(RingOperation& operation, int descriptor) = 0;
  // A piece of what was received is at most this large; one that is as large is hardly the last.
  virtual std::size_t largest_piece() const noexcept = 0;
  // Waits once until the socket can be read.
  virtual bool AwaitReadable(RingOperation& operation, int descriptor) = 0;
  // Sends; waits as long as the peer takes nothing. `message` and what it refers to stay until it
  // has completed.
  virtual bool Send(RingOperation& operation, int descriptor, const msghdr& message) = 0;
  // Ends an operation early; it still completes.
  virtual void Cancel(RingOperation& operation) = 0;
  // Hands over to the kernel what was asked for, instead of at the turn's end. A descriptor may be
  // closed only after that.
  virtual void Submit() = 0;
};

}  // namespace weir
