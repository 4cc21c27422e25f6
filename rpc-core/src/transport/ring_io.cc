#include "transport/ring_io.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/connection.h"
#include "transport/send.h"

namespace weir {
namespace {

// So many full pieces in a row are much, until a turn brings less than that many bytes.
constexpr int kMuchPieces = 4;
constexpr std::size_t kLittle = 32 * 1024;
// Output of which more is written directly.
constexpr std::size_t kWriteDirectlyFrom = 64 * 1024;

bool MayTryAgain(int result) {
  return result == -EINTR || result == -EAGAIN || result == -ECANCELED || result == -ENOBUFS;
}

}  // namespace

RingIo::RingIo(Connection& connection, Ring& ring, int descriptor)
    : connection_(connection), ring_(ring), descriptor_(descriptor) {
  receiving_.io = awaiting_.io = sending_.io = this;
  receiving_.complete = [](RingOperation* operation,
                           const RingOperation::Outcome& outcome) noexcept {
    static_cast<Operation*>(operation)->io->OnReceived(outcome);
  };
  awaiting_.complete = [](RingOperation* operation,
                          const RingOperation::Outcome& outcome) noexcept {
    static_cast<Operation*>(operation)->io->OnReadable(outcome);
  };
  sending_.complete = [](RingOperation* operation, const RingOperation::Outcome& outcome) noexcept {
    static_cast<Operation*>(operation)->io->OnSent(outcome);
  };
}

RingIo::~RingIo() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool RingIo::Began(Operation& operation, bool begun) {
  operation.under_way = begun;
  if (begun) connection_.AddRef();  // given back with the last outcome
  return begun;
}

void RingIo::Read() {
  if (!held_.empty() && connection_.MayReadNow()) {
    connection_.OnInput(std::exchange(held_, {}));
  }
  if (receiving_.under_way || awaiting_.under_way || !connection_.wants_input()) return;
  if (much_arrives_) {
    Began(awaiting_, ring_.AwaitReadable(awaiting_, descriptor_));
  } else {
    Began(receiving_, ring_.Receive(receiving_, descriptor_));
  }
}

void RingIo::PauseReading() {
  if (!receiving_.under_way || std::exchange(stopping_, true)) return;
  ring_.Cancel(receiving_);
}

void RingIo::OnReceived(const RingOperation::Outcome& outcome) {
  const auto keep =
      outcome.last ? Ref<Connection>::Adopt(&connection_) : Ref<Connection>::Share(&connection_);
  if (outcome.last) receiving_.under_way = stopping_ = false;
  if (!connection_.takes_input()) return;
  if (!outcome.bytes.empty()) {
    full_pieces_ = outcome.bytes.size() == ring_.largest_piece() ? full_pieces_ + 1 : 0;
    if (held_.empty() && connection_.MayReadNow()) {
      connection_.OnInput(outcome.bytes);
    } else {
      held_.append(outcome.bytes);
      PauseReading();
    }
    if (!connection_.takes_input()) return;
    if (full_pieces_ == kMuchPieces) {
      much_arrives_ = true;
      PauseReading();
    }
  } else if (!MayTryAgain(outcome.result) && connection_.wants_input()) {
    // If it wants none now, it will be told again when it does.
    return connection_.OnEnded(-outcome.result);
  }
  if (outcome.last) Read();
}

void RingIo::OnReadable(const RingOperation::Outcome& /*outcome*/) {
  const auto keep = Ref<Connection>::Adopt(&connection_);
  awaiting_.under_way = false;
  if (!connection_.takes_input()) return;
  if (connection_.wants_input() && connection_.ReadAvailable(descriptor_) < kLittle) {
    much_arrives_ = false;
    full_pieces_ = 0;
  }
  Read();
}

int RingIo::Write(bool now) {
  Outbox& outbox = connection_.outbox();
  if (sending_.under_way || outbox.empty()) return 0;
  const auto gather = [&] {
    message_.msg_iovlen = static_cast<std::size_t>(outbox.Gather(vectors_, kVectors));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < message_.msg_iovlen; ++i) bytes += vectors_[i].iov_len;
    return bytes;
  };
  std::size_t bytes = gather();
  if (now || bytes < outbox.size() || bytes > kWriteDirectlyFrom) {
    const int error = SendNow(descriptor_, outbox);
    if (error != 0 || outbox.empty()) return error;
    bytes = gather();
  }
  message_.msg_iov = vectors_;
  if (Began(sending_, ring_.Send(sending_, descriptor_, message_))) sending_bytes_ = bytes;
  return 0;
}

void RingIo::OnSent(const RingOperation::Outcome& outcome) {
  const auto keep = Ref<Connection>::Adopt(&connection_);
  sending_.under_way = false;
  sending_bytes_ = 0;
  unsent_.Clear();
  if (!connection_.is_open()) return;
  if (outcome.result >= 0) {
    connection_.outbox().Consume(static_cast<std::size_t>(outcome.result));
  } else if (!MayTryAgain(outcome.result)) {
    return connection_.OnEnded(-outcome.result);
  }
  connection_.GoOnWriting();
}

void RingIo::CancelAll() {
  for (Operation* operation : {&receiving_, &awaiting_, &sending_}) {
    if (operation->under_way) ring_.Cancel(*operation);
  }
  // The number may become another socket's as soon as this one is closed.
  ring_.Submit();
}

void RingIo::Close(Outbox& unsent) {
  held_ = {};
  if (descriptor_ < 0) return;
  if (sending_.under_way) std::swap(unsent_, unsent);
  CancelAll();
  ::close(std::exchange(descriptor_, -1));
}

int RingIo::Release() {
  CancelAll();
  return std::exchange(descriptor_, -1);
}

}  // namespace weir
