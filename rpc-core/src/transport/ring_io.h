// RingIo: has the kernel receive and send, through the reactor's ring.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <string>

#include "runtime/ring.h"
#include "transport/socket_io.h"

namespace weir {

class Connection;

// Small messages are received into memory of the ring and sent with everything else of the turn.
// Once much arrives in a row it is awaited and read instead, straight to where it belongs, and much
// output is written directly: beside the copying of a large payload a system call is nothing.
class RingIo final : public SocketIo {
 public:
  // Takes the descriptor of a non-blocking socket that nothing else watches.
  RingIo(Connection& connection, Ring& ring, int descriptor);
  ~RingIo() override;

  void Read() override;
  void PauseReading() override;
  int Write(bool now) override;
  std::size_t in_doubt() const noexcept override { return sending_bytes_; }
  void Close(Outbox& unsent) override;
  int Release() override;

 private:
  static constexpr int kVectors = 8;

  struct Operation : RingOperation {
    RingIo* io = nullptr;
    bool under_way = false;
  };

  // Marks the operation as begun, if it is; it keeps the connection.
  bool Began(Operation& operation, bool begun);
  void OnReceived(const RingOperation::Outcome& outcome);
  void OnReadable(const RingOperation::Outcome& outcome);
  void OnSent(const RingOperation::Outcome& outcome);
  // Ends what is under way; the descriptor may be closed.
  void CancelAll();

  Connection& connection_;
  Ring& ring_;
  int descriptor_;
  Operation receiving_;
  Operation awaiting_;
  Operation sending_;
  bool much_arrives_ = false;
  bool stopping_ = false;  // to receive
  int full_pieces_ = 0;    // in a row
  std::string held_;       // received while the connection wanted no input
  iovec vectors_[kVectors];
  msghdr message_{};
  std::size_t sending_bytes_ = 0;
  Outbox unsent_;  // of a closed connection, while the kernel may read it
};

}  // namespace weir
