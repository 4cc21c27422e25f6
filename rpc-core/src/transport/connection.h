// Connection: a socket on one reactor, its output, and the protocol spoken on it.
#pragma once

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "buffer/outbox.h"
#include "runtime/reactor.h"
#include "transport/protocol.h"
#include "weir/buffer.h"

namespace weir {

struct ConnectionLimits {
  std::size_t unwritten_soft = 1u << 20;   // above it nothing more is read
  std::size_t unwritten_hard = 64u << 20;  // above it the connection is closed
};

// Counted references; touched by its reactor's thread only, but references may be dropped anywhere.
// Reads all that has arrived, lets the protocol act on it, and writes at the end of the turn.
// Between turns an idle connection holds no buffer.
class Connection final : public RefCounted, public TurnEnd {
 public:
  // Takes an open socket that belongs to `reactor`.
  Connection(Reactor& reactor, asio::ip::tcp::socket socket, std::unique_ptr<Protocol> protocol,
             ConnectionLimits limits);

  // Begins: OnOpen, then reading.
  void Start();
  Reactor& reactor() noexcept { return reactor_; }
  Protocol& protocol() noexcept { return *protocol_; }
  bool is_open() const noexcept { return open_; }

  Outbox& outbox() noexcept { return outbox_; }
  // What the outbox holds leaves when the turn ends.
  void Flush();
  // Bytes that reached the kernel; still true after Close.
  std::uint64_t written() const noexcept { return open_ ? outbox_.consumed() : written_; }
  // True while the peer takes less than it is sent.
  bool is_congested() const noexcept { return outbox_.size() > limits_.unwritten_soft; }

  // Stops reading until as many Resume calls have come. Flow control of the protocol.
  void PauseReading() noexcept { ++pauses_; }
  void ResumeReading();

  // Closes at once; OnClosed runs before this returns. Idempotent.
  void Close(const Status& reason);
  // Closes when the outbox has been written, or after two seconds.
  void CloseWhenWritten(Status reason);

 private:
  ~Connection() override;

  void OnTurnEnd() override;
  void WaitReadable();
  void OnReadable();
  void WaitWritable();
  void Write();

  Reactor& reactor_;
  asio::ip::tcp::socket socket_;
  std::unique_ptr<Protocol> protocol_;
  const ConnectionLimits limits_;
  Outbox outbox_;
  Status closing_reason_;
  std::uint64_t written_ = 0;
  int pauses_ = 0;
  bool open_ = true;
  bool closing_ = false;  // as soon as everything is written
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool held_by_soft_limit_ = false;
  bool flush_due_ = false;

  struct Timer : detail::TimerNode {
    Connection* connection = nullptr;
  };
  Timer linger_;      // of CloseWhenWritten
  Timer read_again_;  // while the I/O budget is exhausted
};

}  // namespace weir
