#include "transport/connection.h"

#include <sys/uio.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "buffer/io_budget.h"
#include "transport/farewell.h"
#include "transport/readiness_io.h"
#include "transport/ring_io.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Fairness: after this many reads of a turn the others have their turn.
constexpr int kReadsPerTurn = 8;
// So much output does not wait for the end of the turn: the peer works on it while this side works
// on the rest, and both find it in their caches.
constexpr std::size_t kWriteEarly = 64 * 1024;
constexpr milliseconds kBudgetPause{10};
constexpr seconds kLinger{2};

std::string ErrorText(int error) {
  return std::strerror(error);
}

}  // namespace

Connection::Connection(Reactor& reactor, Socket socket, std::unique_ptr<Protocol> protocol,
                       ConnectionLimits limits)
    : reactor_(reactor), protocol_(std::move(protocol)), limits_(limits) {
  timer_.connection = this;
  timer_.fire = [](detail::TimerNode* node) noexcept {
    Connection& self = *static_cast<Timer*>(node)->connection;
    if (self.closing_) {
      self.Close(self.closing_reason_);
    } else {
      self.io_->Read();
    }
  };
  asio::error_code ignored;
  socket.non_blocking(true, ignored);
  if (Ring* ring = reactor.ring(); ring != nullptr) {
    io_ = std::make_unique<RingIo>(*this, *ring, socket.release(ignored));
  } else {
    io_ = std::make_unique<ReadinessIo>(*this, std::move(socket));
  }
}

Connection::~Connection() = default;

void Connection::Start() {
  self_ = Ref<Connection>::Share(this);
  protocol_->OnOpen(*this);
  if (open_) io_->Read();
}

std::size_t Connection::ReadAvailable(int descriptor) {
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  std::size_t total = 0;
  for (int i = 0; i < kReadsPerTurn && MayReadNow(); ++i) {
    iovec vectors[2];
    const int count = protocol_->PrepareRead(reactor_.scratch(), vectors);
    const ssize_t bytes = ::readv(descriptor, vectors, count);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (bytes <= 0) {
      OnEnded(bytes < 0 ? errno : 0);
      break;
    }
    const std::size_t room = vectors[0].iov_len + (count > 1 ? vectors[1].iov_len : 0);
    total += static_cast<std::size_t>(bytes);
    if (Status status = protocol_->OnBytes(static_cast<std::size_t>(bytes)); !status.ok()) {
      CloseWhenWritten(std::move(status));
      break;
    }
    if (outbox_.size() >= kWriteEarly) Write(true);
    if (static_cast<std::size_t>(bytes) < room) break;
  }
  return total;
}

void Connection::OnInput(std::string_view bytes) {
  if (Status status = protocol_->OnInput(bytes); !status.ok()) {
    CloseWhenWritten(std::move(status));
  } else if (outbox_.size() >= kWriteEarly) {
    Write(true);
  }
}

void Connection::OnEnded(int error) {
  Close(Unavailable(error == 0 ? "the peer closed the connection"
                               : "the connection broke: " + ErrorText(error)));
}

bool Connection::MayReadNow() {
  if (!wants_input()) return false;
  if (!IoBudget::reads_must_pause()) return true;
  reactor_.SetTimer(timer_, reactor_.now() + kBudgetPause);
  return false;
}

void Connection::PauseReading() {
  if (++pauses_ == 1) io_->PauseReading();
}

void Connection::ResumeReading() {
  if (--pauses_ == 0 && open_) io_->Read();
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
  Write(false);
}

void Connection::Write(bool now) {
  if (!open_) return;
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  if (const int error = io_->Write(now); error != 0) {
    return Close(Unavailable("the connection broke: " + ErrorText(error)));
  }
  if (!outbox_.empty()) return;
  if (closing_) return SayGoodbye();
  protocol_->OnDrained();
}

void Connection::SayGoodbye() {
  SayFarewell(reactor_, io_->Release());
  Close(closing_reason_);
}

void Connection::Close(const Status& reason) {
  if (!open_) return;
  written_ = outbox_.consumed() + io_->in_doubt();
  open_ = false;
  const Ref<Connection> keep = Ref<Connection>::Share(this);
  self_ = {};
  const Status why = reason;
  reactor_.ClearTimer(timer_);
  io_->Close(outbox_);
  outbox_.Clear();
  protocol_->OnClosed(why);
}

void Connection::CloseWhenWritten(Status reason) {
  if (!open_ || closing_) return;
  closing_ = true;
  closing_reason_ = std::move(reason);
  if (outbox_.empty()) return Close(closing_reason_);
  io_->PauseReading();
  reactor_.SetTimer(timer_, reactor_.now() + kLinger);
  Flush();
}

}  // namespace weir
