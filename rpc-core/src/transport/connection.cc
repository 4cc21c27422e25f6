#include "transport/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "buffer/io_budget.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Fairness: after this many reads of a turn the others have their turn.
constexpr int kReadsPerTurn = 8;
constexpr int kVectorsPerWrite = 64;
constexpr milliseconds kBudgetPause{10};
constexpr seconds kLinger{2};
// After the last word: how long, and for how many bytes, the peer may go on talking.
constexpr seconds kFarewell{1};
constexpr std::size_t kFarewellBytes = 1u << 20;

std::string ErrorText(int error) {
  return std::strerror(error);
}

// A socket whose last words have been sent. Closing it with unread input would make it a reset, and
// the peer might lose them, so input is read and dropped until the peer closes as well.
class Farewell : public std::enable_shared_from_this<Farewell> {
 public:
  explicit Farewell(Socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {}

  void Start() {
    asio::error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
    timer_.expires_after(kFarewell);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
      if (!stopped) self->End();
    });
    Drop();
  }

 private:
  void Drop() {
    const Ref<Block> waste = Block::Allocate(Block::kCommonSize);
    while (true) {
      const ssize_t bytes = ::read(socket_.native_handle(), waste->data(), waste->capacity());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      dropped_ += bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
      if (bytes <= 0 || dropped_ > kFarewellBytes) return End();
    }
    socket_.async_wait(asio::socket_base::wait_read,
                       [self = shared_from_this()](const asio::error_code& error) {
                         if (!error) self->Drop();
                       });
  }
  void End() {
    timer_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
  }

  Socket socket_;
  asio::steady_timer timer_;
  std::size_t dropped_ = 0;
};

}  // namespace

Connection::Connection(Reactor& reactor, Socket socket, std::unique_ptr<Protocol> protocol,
                       ConnectionLimits limits)
    : reactor_(reactor),
      socket_(std::move(socket)),
      protocol_(std::move(protocol)),
      limits_(limits) {
  linger_.connection = this;
  linger_.fire = [](detail::TimerNode* node) noexcept {
    Connection& self = *static_cast<Timer*>(node)->connection;
    self.Close(self.closing_reason_);
  };
  read_again_.connection = this;
  read_again_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->connection->WaitReadable();
  };
}

Connection::~Connection() = default;

void Connection::Start() {
  self_ = Ref<Connection>::Share(this);
  asio::error_code ignored;
  socket_->non_blocking(true, ignored);
  protocol_->OnOpen(*this);
  WaitReadable();
}

void Connection::WaitReadable() {
  if (!open_ || closing_ || waiting_readable_ || pauses_ > 0) return;
  waiting_readable_ = true;
  socket_->async_wait(asio::socket_base::wait_read,
                      [self = Ref<Connection>::Share(this)](const asio::error_code& error) {
                        self->waiting_readable_ = false;
                        if (!error) self->OnReadable();
                      });
}

void Connection::OnReadable() {
  const Reactor::Turn turn(reactor_);
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  for (int i = 0; i < kReadsPerTurn && open_ && !closing_ && pauses_ == 0; ++i) {
    if (IoBudget::reads_must_pause()) {
      reactor_.SetTimer(read_again_, reactor_.now() + kBudgetPause);
      return;
    }
    iovec vectors[2];
    const int count = protocol_->PrepareRead(reactor_.scratch(), vectors);
    const ssize_t bytes = ::readv(socket_->native_handle(), vectors, count);
    if (bytes == 0) return Close(Unavailable("the peer closed the connection"));
    if (bytes < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      return Close(Unavailable("the connection broke: " + ErrorText(errno)));
    }
    std::size_t room = vectors[0].iov_len + (count > 1 ? vectors[1].iov_len : 0);
    if (Status status = protocol_->OnBytes(static_cast<std::size_t>(bytes)); !status.ok()) {
      return CloseWhenWritten(std::move(status));
    }
    if (static_cast<std::size_t>(bytes) < room) break;
  }
  WaitReadable();
}

void Connection::ResumeReading() {
  if (--pauses_ == 0) WaitReadable();
}

void Connection::Flush() {
  if (flush_due_) return;
  flush_due_ = true;
  AddRef();  // the reactor's list holds a bare pointer
  reactor_.AtTurnEnd(*this);
}

void Connection::OnTurnEnd() {
  const Ref<Connection> keep = Ref<Connection>::Adopt(this);
  flush_due_ = false;
  Write();
}

void Connection::Write() {
  if (!open_) return;
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  while (!outbox_.empty() && !waiting_writable_) {
    iovec vectors[kVectorsPerWrite];
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(outbox_.Gather(vectors, kVectorsPerWrite));
    const ssize_t bytes = ::sendmsg(socket_->native_handle(), &message, MSG_NOSIGNAL);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        return Close(Unavailable("the connection broke: " + ErrorText(errno)));
      }
      WaitWritable();
      break;
    }
    outbox_.Consume(static_cast<std::size_t>(bytes));
  }
  if (waiting_writable_) {
    if (outbox_.size() <= limits_.unwritten_hard) return;
    return Close(ResourceExhausted("the peer does not take what it is sent: " +
                                   std::to_string(outbox_.size()) + " bytes are waiting"));
  }
  if (closing_) return SayGoodbye();
  protocol_->OnDrained();
}

void Connection::SayGoodbye() {
  asio::error_code ignored;
  socket_->cancel(ignored);
  std::make_shared<Farewell>(std::move(*socket_))->Start();
  Close(closing_reason_);
}

void Connection::WaitWritable() {
  waiting_writable_ = true;
  socket_->async_wait(asio::socket_base::wait_write,
                      [self = Ref<Connection>::Share(this)](const asio::error_code& error) {
                        self->waiting_writable_ = false;
                        if (error) return;
                        const Reactor::Turn turn(self->reactor_);
                        self->Write();
                      });
}

void Connection::Close(const Status& reason) {
  if (!open_) return;
  written_ = outbox_.consumed();
  open_ = false;
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  self_ = {};
  const Status why = reason;
  reactor_.ClearTimer(linger_);
  reactor_.ClearTimer(read_again_);
  socket_.reset();
  outbox_.Clear();
  protocol_->OnClosed(why);
}

void Connection::CloseWhenWritten(Status reason) {
  if (!open_ || closing_) return;
  closing_ = true;
  closing_reason_ = std::move(reason);
  if (outbox_.empty()) return Close(closing_reason_);
  reactor_.SetTimer(linger_, reactor_.now() + kLinger);
  Flush();
}

}  // namespace weir
