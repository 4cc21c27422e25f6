// NativeProtocol: what both sides of weir's own protocol do alike (docs/wire.md): SETTINGS first,
// PING and PONG, GOAWAY, ERROR, and the timers that keep a connection honest.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/connection.h"
#include "transport/protocol.h"
#include "wire/frame_reader.h"
#include "wire/frame_writer.h"
#include "wire/meta.h"

namespace weir {

struct NativeTimes {
  std::chrono::nanoseconds handshake{};          // to the first valid frame
  std::chrono::nanoseconds header{};             // for an unfinished header
  std::uint32_t min_body_bytes_per_s = 0;        // for the rest of a frame
  std::chrono::nanoseconds idle{};               // without calls
  std::chrono::nanoseconds keepalive{};          // silence before a PING; 0: never
  std::chrono::nanoseconds keepalive_busy{};     // the same with calls in flight
  std::chrono::nanoseconds keepalive_timeout{};  // for the PONG
};

// What one side goes by on all its connections.
struct NativeTerms {
  NativeTerms(wire::ReadLimits limits, NativeTimes all_times,
              wire::SettingsMeta announced) noexcept;

  wire::ReadLimits read;
  NativeTimes times;  // none above kLongestTimeout
  wire::SettingsMeta settings;
};

class NativeProtocol : public Protocol {
 public:
  int PrepareRead(wire::Scratch& scratch, iovec* vectors) final;
  Status OnBytes(std::size_t bytes) final;
  Status OnInput(std::string_view bytes) final;
  void OnOpen(Connection& connection) final;
  void OnDrained() override;
  void OnClosed(const Status& reason) final;

  using TimePoint = Reactor::Clock::time_point;
  // When the peer was last heard.
  TimePoint last_heard() const noexcept { return last_read_; }
  // A PING now instead of after the next silence, unless one is under way or the peer would not put
  // up with it.
  void PingNow();
  // The last PING was answered, so short a time ago that the peer does not put up with another.
  bool AnsweredJustNow() const noexcept;

 protected:
  // The terms must outlive it.
  explicit NativeProtocol(const NativeTerms& terms) noexcept : terms_(terms), reader_(terms.read) {}

  // The peer's SETTINGS have arrived; frames may flow.
  virtual void OnReady() = 0;
  virtual Status OnRequest(wire::Frame& frame) = 0;
  virtual Status OnResponse(wire::Frame& frame) = 0;
  virtual void OnCancel(std::uint64_t id) = 0;
  virtual void OnGoAway(std::uint64_t last_id, const Status& why) = 0;
  // A PING came. A failure closes the connection.
  virtual Status OnPing() { return {}; }
  virtual void OnPong(std::uint64_t /*token*/) {}
  // LOAD_ASK and LOAD came. A failure closes the connection.
  virtual Status OnLoadAsk(std::uint64_t /*id*/) { return {}; }
  virtual void OnLoad(std::uint64_t /*id*/, std::uint64_t /*load*/) {}
  // True while calls run on this connection.
  virtual bool HasCalls() const noexcept = 0;
  virtual void OnIdle() = 0;
  virtual void OnGone(const Status& reason) = 0;

  bool is_open() const noexcept { return connection_ != nullptr && connection_->is_open(); }
  Connection& connection() noexcept { return *connection_; }
  Outbox& outbox() noexcept { return connection_->outbox(); }
  Reactor& reactor() noexcept { return connection_->reactor(); }
  const wire::SettingsMeta& peer() const noexcept { return peer_; }
  bool congested() const noexcept { return connection_->is_congested(); }
  void Signal(wire::FrameType type, std::uint64_t id);
  void Notice(wire::FrameType type, std::uint64_t id, const Status& status);
  // The peer broke the protocol; counted by the server.
  bool violated() const noexcept { return violated_; }

 private:
  // Reads frames out of bytes, wherever they are.
  template <class Bytes>
  Status Read(Bytes bytes);
  // Acts on a frame, unless an earlier one had the connection closed.
  Status Receive(wire::Frame& frame);
  Status OnFrame(wire::Frame& frame);
  // Keeps what has been read until the peer has taken its replies.
  void HoldInput();
  void ReleaseInput();
  Status Violation(const Status& status);
  // Looks at all timeouts and sets the timer for the next of them.
  void CheckTimes();
  // Begins to watch the unfinished frame, if there is one.
  void WatchFrame();
  bool CheckFrameProgress(TimePoint now, TimePoint* next);
  std::chrono::nanoseconds FrameWatch() const noexcept;
  std::chrono::nanoseconds PingAfter(bool busy) const noexcept;
  std::chrono::nanoseconds LeastPingInterval() const noexcept;

  const NativeTerms& terms_;
  wire::SettingsMeta peer_;
  wire::FrameReader reader_;
  Connection* connection_ = nullptr;
  bool ready_ = false;
  bool violated_ = false;
  bool pinged_ = false;
  bool held_ = false;
  bool resuming_ = false;
  bool frame_watched_ = false;
  TimePoint opened_{};
  TimePoint last_read_{};
  TimePoint last_call_{};
  TimePoint ping_sent_{};
  TimePoint frame_began_{};
  std::uint64_t frame_began_at_ = 0;  // bytes read by then
  std::uint64_t watched_frame_ = 0;

  struct Timer : detail::TimerNode {
    NativeProtocol* protocol = nullptr;
  };
  Timer timer_;
};

}  // namespace weir
