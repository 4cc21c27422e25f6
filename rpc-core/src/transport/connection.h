// Connection: a socket on one reactor, its output, and the protocol spoken on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "buffer/outbox.h"
#include "runtime/reactor.h"
#include "transport/protocol.h"
#include "transport/socket.h"
#include "transport/socket_io.h"
#include "weir/buffer.h"

namespace weir {

struct ConnectionLimits {
  std::size_t unwritten_soft = 1u << 20;  // above it the peer is congested
  // While `soft` is exceeded nothing more of the peer's input is acted on. Not for clients: if both
  // sides waited for the other to read, neither would.
  bool hold_input = true;
};

// Counted references; touched by its reactor's thread only, but references may be dropped anywhere.
// Reads all that has arrived, lets the protocol act on it, and writes at the end of the turn.
// Between turns an idle connection holds no buffer. From Start to Close it keeps itself alive.
class Connection final : public RefCounted, public TurnEnd {
 public:
  // Takes an open socket that belongs to `reactor`, its options already set.
  Connection(Reactor& reactor, Socket socket, std::unique_ptr<Protocol> protocol,
             ConnectionLimits limits);

  // Begins: OnOpen, then reading.
  void Start();
  Reactor& reactor() noexcept { return reactor_; }
  Protocol& protocol() noexcept { return *protocol_; }
  bool is_open() const noexcept { return open_; }
  // False once the connection is closed or about to be: what the peer still says does not matter.
  bool takes_input() const noexcept { return open_ && !closing_; }

  Outbox& outbox() noexcept { return outbox_; }
  // What the outbox holds leaves when the turn ends.
  void Flush();
  // What the outbox holds leaves now, as far as the peer takes it. May close the connection.
  void WriteNow() { Write(true); }
  // Bytes that reached the kernel or, once closed, may have reached it.
  std::uint64_t written() const noexcept { return open_ ? outbox_.consumed() : written_; }
  // True while the peer takes less than it is sent.
  bool is_congested() const noexcept { return outbox_.size() > limits_.unwritten_soft; }
  // True if input must wait until the outbox has been written.
  bool must_hold_input() const noexcept { return limits_.hold_input && is_congested(); }

  // Stops reading until as many Resume calls have come. Flow control of the protocol.
  void PauseReading();
  void ResumeReading();
  // True while the peer cannot be blamed for its silence.
  bool is_reading_paused() const noexcept { return pauses_ > 0 || (!closing_ && timer_.is_set()); }

  // Closes at once; OnClosed runs before this returns. Idempotent.
  void Close(const Status& reason);
  // Closes when the outbox has been written, or after two seconds. The peer gets to read it all.
  void CloseWhenWritten(Status reason);

  // For its SocketIo, within a turn.
  // True while what the peer says is to be read.
  bool wants_input() const noexcept { return takes_input() && !is_reading_paused(); }
  // The same now. If the I/O budget is exhausted, reading goes on a little later.
  bool MayReadNow();
  // Reads what has arrived, up to a number of reads, and acts on it; returns how many bytes. If it
  // still wants input then, there may be more.
  std::size_t ReadAvailable(int descriptor);
  // Acts on bytes that were read elsewhere.
  void OnInput(std::string_view bytes);
  // The peer has closed, or something broke if `error` is not 0.
  void OnEnded(int error);
  // Output that was left can go on.
  void GoOnWriting() {
    if (!flush_due_) Write(false);
  }

 private:
  ~Connection() override;

  void OnTurnEnd() override;
  void Write(bool now);
  void SayGoodbye();

  Reactor& reactor_;
  Ref<Connection> self_;
  std::unique_ptr<Protocol> protocol_;
  const ConnectionLimits limits_;
  std::unique_ptr<SocketIo> io_;
  Outbox outbox_;
  Status closing_reason_;
  std::uint64_t written_ = 0;
  int pauses_ = 0;
  bool open_ = true;
  bool closing_ = false;  // as soon as everything is written
  bool flush_due_ = false;

  struct Timer : detail::TimerNode {
    Connection* connection = nullptr;
  };
  // While the I/O budget is exhausted: when to read again. Once closing: when to stop writing.
  Timer timer_;
};

}  // namespace weir
