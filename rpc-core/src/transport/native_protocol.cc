#include "transport/native_protocol.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

using wire::FrameType;

// PINGs of keepalive carry this; those of a drain barrier something else.
constexpr std::uint64_t kKeepaliveToken = 0;
constexpr std::chrono::seconds kFrameWatch{1};

}  // namespace

int NativeProtocol::PrepareRead(wire::Scratch& scratch, iovec* vectors) {
  return reader_.PrepareRead(scratch, vectors);
}

void NativeProtocol::OnOpen(Connection& connection) {
  connection_ = &connection;
  opened_ = last_read_ = reactor().now();
  timer_.protocol = this;
  timer_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->protocol->CheckTimes();
  };
  wire::WriteSettings(outbox(), settings_);
  connection.Flush();
  CheckTimes();
}

Status NativeProtocol::OnBytes(std::size_t bytes) {
  last_read_ = reactor().now();
  pinged_ = false;
  Status status = reader_.Consume(bytes, [this](wire::Frame& frame) { return OnFrame(frame); });
  if (!status.ok()) return Violation(status);
  if (reader_.in_frame()) {
    if (!frame_watched_) {
      frame_watched_ = true;
      frame_began_ = last_read_;
      frame_began_at_ = reader_.bytes_read();
      reactor().SetTimer(timer_, last_read_ + kFrameWatch);
    }
  } else {
    frame_watched_ = false;
  }
  return {};
}

Status NativeProtocol::Violation(const Status& status) {
  violated_ = true;
  // Who never spoke the protocol gets no answer in it.
  if (ready_ || status.code() != StatusCode::kInvalidArgument) {
    Notice(FrameType::kError, 0, status);
  }
  return status;
}

Status NativeProtocol::OnFrame(wire::Frame& frame) {
  const wire::FrameHeader& header = frame.header;
  const auto type = static_cast<FrameType>(header.type);
  if (header.version != wire::kVersion) {
    return Unimplemented("protocol version " + std::to_string(header.version) +
                         " is not supported; this side speaks version " +
                         std::to_string(wire::kVersion));
  }
  if (!ready_ && type != FrameType::kSettings && type != FrameType::kError) {
    return FailedPrecondition("the first frame must be SETTINGS");
  }
  const bool is_call = type == FrameType::kRequest || type == FrameType::kResponse;
  if ((header.flags & wire::kMustUnderstandFlags) != 0 && !is_call) {
    return Unimplemented("a frame has flags that must be understood and are not");
  }
  switch (type) {
    case FrameType::kRequest:
      return OnRequest(frame);
    case FrameType::kResponse:
      return OnResponse(frame);
    case FrameType::kSettings:
      if (!peer_.Decode(frame.meta)) return FailedPrecondition("malformed SETTINGS");
      if (!ready_) {
        ready_ = true;
        OnReady();
      }
      return {};
    case FrameType::kCancel:
      OnCancel(header.id);
      return {};
    case FrameType::kPing:
      if (Status status = OnPing(); !status.ok()) return status;
      Signal(FrameType::kPong, header.id);
      return {};
    case FrameType::kPong:
      if (header.id != kKeepaliveToken) OnPong(header.id);
      return {};
    case FrameType::kGoAway:
    case FrameType::kError: {
      wire::NoticeMeta notice;
      if (!notice.Decode(frame.meta)) return FailedPrecondition("malformed notice");
      const auto code = notice.code > 0 && notice.code <= 16 ? static_cast<StatusCode>(notice.code)
                                                             : StatusCode::kUnavailable;
      Status why(code, std::string(notice.message));
      if (type == FrameType::kGoAway) {
        OnGoAway(header.id, why);
      } else {
        connection().Close(why);
      }
      return {};
    }
  }
  if (header.type >= wire::kFirstIgnorableType) return {};
  return Unimplemented("frame type " + std::to_string(header.type) + " is not known; version " +
                       std::to_string(wire::kVersion) + " is spoken here");
}

void NativeProtocol::OnClosed(const Status& reason) {
  reactor().ClearTimer(timer_);
  OnGone(reason);
}

void NativeProtocol::Signal(FrameType type, std::uint64_t id) {
  wire::WriteSignal(outbox(), type, id);
  connection_->Flush();
}

void NativeProtocol::Notice(FrameType type, std::uint64_t id, const Status& status) {
  wire::WriteNotice(outbox(), type, id, status);
  connection_->Flush();
}

bool NativeProtocol::CheckFrameProgress(TimePoint now, TimePoint* next) {
  if (!frame_watched_) return true;
  *next = std::min(*next, now + kFrameWatch);
  const auto elapsed = now - frame_began_;
  if (elapsed <= times_.header) return true;
  if (reader_.in_header()) return false;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const auto bytes = static_cast<double>(reader_.bytes_read() - frame_began_at_);
  return bytes >= seconds * times_.min_body_bytes_per_s;
}

void NativeProtocol::CheckTimes() {
  if (!is_open()) return;
  const TimePoint now = reactor().now();
  TimePoint next = TimePoint::max();
  if (!ready_) {
    if (now >= opened_ + times_.handshake) {
      return connection().Close(DeadlineExceeded("the peer did not speak weir's protocol in time"));
    }
    next = opened_ + times_.handshake;
  }
  if (!CheckFrameProgress(now, &next)) {
    violated_ = true;
    return connection().Close(DeadlineExceeded("the peer sends an unfinished frame too slowly"));
  }
  const bool busy = HasCalls();
  if (!busy) {
    if (now >= last_read_ + times_.idle) return OnIdle();
    next = std::min(next, last_read_ + times_.idle);
  }
  if (times_.keepalive.count() > 0 && ready_) {
    if (pinged_) {
      if (now >= ping_sent_ + times_.keepalive_timeout) {
        return connection().Close(Unavailable("the peer does not answer PING"));
      }
      next = std::min(next, ping_sent_ + times_.keepalive_timeout);
    } else {
      const TimePoint due = last_read_ + (busy ? times_.keepalive_busy : times_.keepalive);
      if (now >= due) {
        pinged_ = true;
        ping_sent_ = now;
        Signal(FrameType::kPing, kKeepaliveToken);
        next = std::min(next, now + times_.keepalive_timeout);
      } else {
        next = std::min(next, due);
      }
      // Calls may start before the long silence has passed.
      if (!busy) next = std::min(next, now + times_.keepalive_busy);
    }
  }
  if (next != TimePoint::max()) reactor().SetTimer(timer_, next);
}

}  // namespace weir
