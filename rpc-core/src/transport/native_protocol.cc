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

NativeTerms::NativeTerms(wire::ReadLimits limits, NativeTimes all_times,
                         wire::SettingsMeta announced) noexcept
    : read(limits), times(all_times), settings(announced) {
  for (auto* time : {&times.handshake, &times.header, &times.idle, &times.keepalive,
                     &times.keepalive_busy, &times.keepalive_timeout}) {
    *time = std::clamp(*time, std::chrono::nanoseconds(0), kLongestTimeout);
  }
}

int NativeProtocol::PrepareRead(wire::Scratch& scratch, iovec* vectors) {
  return reader_.PrepareRead(scratch, vectors);
}

void NativeProtocol::OnOpen(Connection& connection) {
  connection_ = &connection;
  opened_ = last_read_ = last_call_ = reactor().now();
  timer_.protocol = this;
  timer_.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->protocol->CheckTimes();
  };
  wire::WriteSettings(outbox(), terms_.settings);
  connection.Flush();
  CheckTimes();
}

Status NativeProtocol::OnBytes(std::size_t bytes) {
  return Read(bytes);
}

Status NativeProtocol::OnInput(std::string_view bytes) {
  return Read(bytes);
}

template <class Bytes>
Status NativeProtocol::Read(Bytes bytes) {
  last_read_ = reactor().now();
  pinged_ = false;
  Status status = reader_.Consume(bytes, [this](wire::Frame& frame) { return Receive(frame); });
  if (!is_open()) return {};
  if (!status.ok()) return Violation(status);
  WatchFrame();
  return {};
}

Status NativeProtocol::Receive(wire::Frame& frame) {
  if (!connection_->takes_input()) return {};
  Status status = OnFrame(frame);
  if (status.ok() && connection_->must_hold_input()) HoldInput();
  return status;
}

void NativeProtocol::HoldInput() {
  connection_->WriteNow();
  if (!connection_->takes_input() || !connection_->must_hold_input()) return;
  reader_.Stop();
  if (!std::exchange(held_, true)) connection_->PauseReading();
}

void NativeProtocol::ReleaseInput() {
  resuming_ = true;
  Status status = reader_.Resume([this](wire::Frame& frame) { return Receive(frame); });
  resuming_ = false;
  if (!is_open()) return;
  if (!status.ok()) return connection_->CloseWhenWritten(Violation(status));
  if (reader_.stopped()) return;
  held_ = false;
  WatchFrame();
  connection_->ResumeReading();
}

void NativeProtocol::OnDrained() {
  if (held_ && !resuming_) ReleaseInput();
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
  if (is_call) last_call_ = last_read_;
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
    case FrameType::kLoadAsk:
      return OnLoadAsk(header.id);
    case FrameType::kLoad: {
      wire::LoadMeta meta;
      if (!meta.Decode(frame.meta)) return FailedPrecondition("malformed LOAD");
      OnLoad(header.id, meta.load);
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

std::chrono::nanoseconds NativeProtocol::FrameWatch() const noexcept {
  return std::min<std::chrono::nanoseconds>(kFrameWatch, terms_.times.header);
}

void NativeProtocol::WatchFrame() {
  if (!reader_.in_frame()) {
    frame_watched_ = false;
    return;
  }
  if (frame_watched_ && watched_frame_ == reader_.frames()) return;
  frame_watched_ = true;
  watched_frame_ = reader_.frames();
  frame_began_ = last_read_;
  frame_began_at_ = reader_.bytes_read();
  const TimePoint look = last_read_ + FrameWatch();
  if (!timer_.is_set() || look < timer_.expiry) reactor().SetTimer(timer_, look);
}

bool NativeProtocol::CheckFrameProgress(TimePoint now, TimePoint* next) {
  if (!frame_watched_) return true;
  *next = std::min(*next, now + FrameWatch());
  if (connection_->is_reading_paused()) {  // it is this side that does not read
    frame_began_ = now;
    frame_began_at_ = reader_.bytes_read();
    return true;
  }
  const auto elapsed = now - frame_began_;
  if (elapsed < terms_.times.header) return true;
  if (reader_.in_header()) return false;
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const auto bytes = static_cast<double>(reader_.bytes_read() - frame_began_at_);
  return bytes >= seconds * terms_.times.min_body_bytes_per_s;
}

// No more often than the peer puts up with, and a little less often for the clocks' sake.
std::chrono::nanoseconds NativeProtocol::LeastPingInterval() const noexcept {
  constexpr std::uint64_t kMostMicroseconds = 3'600'000'000;
  const std::chrono::microseconds least(std::min(peer_.min_ping_interval_us, kMostMicroseconds));
  return least + least / 10;
}

std::chrono::nanoseconds NativeProtocol::PingAfter(bool busy) const noexcept {
  return std::max(busy ? terms_.times.keepalive_busy : terms_.times.keepalive, LeastPingInterval());
}

bool NativeProtocol::AnsweredJustNow() const noexcept {
  return !pinged_ && ping_sent_ != TimePoint{} &&
         connection_->reactor().now() < ping_sent_ + LeastPingInterval();
}

void NativeProtocol::PingNow() {
  if (!is_open() || !ready_ || pinged_ || AnsweredJustNow()) return;
  pinged_ = true;
  ping_sent_ = reactor().now();
  Signal(FrameType::kPing, kKeepaliveToken);
  CheckTimes();
}

void NativeProtocol::CheckTimes() {
  if (!is_open()) return;
  const TimePoint now = reactor().now();
  TimePoint next = TimePoint::max();
  if (!ready_) {
    if (now >= opened_ + terms_.times.handshake) {
      return connection().Close(DeadlineExceeded("the peer did not speak weir's protocol in time"));
    }
    next = opened_ + terms_.times.handshake;
  }
  if (!CheckFrameProgress(now, &next)) {
    violated_ = true;
    return connection().Close(DeadlineExceeded("the peer sends an unfinished frame too slowly"));
  }
  const bool busy = HasCalls();
  // PING and PONG do not count: a connection that only keeps itself alive is idle.
  if (busy) last_call_ = now;
  if (now >= last_call_ + terms_.times.idle) return OnIdle();
  next = std::min(next, last_call_ + terms_.times.idle);
  if (terms_.times.keepalive.count() > 0 && ready_) {
    if (pinged_) {
      if (now >= ping_sent_ + terms_.times.keepalive_timeout) {
        return connection().Close(Unavailable("the peer does not answer PING"));
      }
      next = std::min(next, ping_sent_ + terms_.times.keepalive_timeout);
    } else {
      const TimePoint due = last_read_ + PingAfter(busy);
      if (now >= due) {
        pinged_ = true;
        ping_sent_ = now;
        Signal(FrameType::kPing, kKeepaliveToken);
        next = std::min(next, now + terms_.times.keepalive_timeout);
      } else {
        next = std::min(next, due);
      }
      // Calls may start before the long silence has passed.
      if (!busy) next = std::min(next, now + PingAfter(true));
    }
  }
  if (next != TimePoint::max()) reactor().SetTimer(timer_, next);
}

}  // namespace weir
