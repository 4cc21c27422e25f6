#include "transport/readiness_io.h"

#include <utility>

#include "transport/connection.h"
#include "transport/send.h"

namespace weir {

ReadinessIo::ReadinessIo(Connection& connection, Socket socket)
    : connection_(connection), socket_(std::move(socket)) {}

void ReadinessIo::Read() {
  if (waiting_readable_ || !connection_.wants_input()) return;
  waiting_readable_ = true;
  socket_->async_wait(
      asio::socket_base::wait_read,
      [this, keep = Ref<Connection>::Share(&connection_)](const asio::error_code& error) {
        waiting_readable_ = false;
        if (error) return;
        const Reactor::Turn turn(connection_.reactor());
        connection_.ReadAvailable(socket_->native_handle());
        Read();
      });
}

int ReadinessIo::Write(bool /*now*/) {
  if (waiting_writable_) return 0;
  const int error = SendNow(socket_->native_handle(), connection_.outbox());
  if (error != 0) return error;
  if (!connection_.outbox().empty()) WaitWritable();
  return 0;
}

void ReadinessIo::WaitWritable() {
  waiting_writable_ = true;
  socket_->async_wait(
      asio::socket_base::wait_write,
      [this, keep = Ref<Connection>::Share(&connection_)](const asio::error_code& error) {
        waiting_writable_ = false;
        if (error) return;
        const Reactor::Turn turn(connection_.reactor());
        connection_.GoOnWriting();
      });
}

void ReadinessIo::Close(Outbox& /*unsent*/) {
  socket_.reset();
}

int ReadinessIo::Release() {
  asio::error_code error;
  const int descriptor = socket_->release(error);
  return error ? -1 : descriptor;
}

}  // namespace weir
