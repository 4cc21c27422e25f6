// ReadinessIo: waits with the reactor's epoll until the socket is ready, then reads or writes.
#pragma once

#include <optional>

#include "transport/socket.h"
#include "transport/socket_io.h"

namespace weir {

class Connection;

class ReadinessIo final : public SocketIo {
 public:
  ReadinessIo(Connection& connection, Socket socket);

  void Read() override;
  int Write(bool now) override;
  void Close(Outbox& unsent) override;
  int Release() override;

 private:
  void WaitWritable();

  Connection& connection_;
  // None once closed: references to the connection may outlive the reactor.
  std::optional<Socket> socket_;
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
};

}  // namespace weir
