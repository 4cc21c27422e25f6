// ServerContext: what a handler may ask and say about the call it handles.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "weir/buffer.h"
#include "weir/call_options.h"
#include "weir/method.h"

namespace weir {

namespace detail {
class ServerCall;

// What all calls of one connection share.
struct ConnectionFacts {
  std::string peer;                // the caller: "host:port", or "unix:pid=1,uid=0"
  asio::any_io_executor executor;  // where handlers are called back
};
}  // namespace detail

// Lives as long as the call: for a plain handler until it returns, for a coroutine until it ends,
// for a deferred one until its Reply is completed. Not thread-safe but for cancelled() and
// deadline().
class ServerContext {
 public:
  using Clock = std::chrono::steady_clock;

  ServerContext(const detail::ConnectionFacts& connection, const MethodInfo& method) noexcept
      : connection_(&connection), method_(&method) {}
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  const MethodInfo& method() const noexcept { return *method_; }
  const std::string& peer() const noexcept { return connection_->peer; }
  // Where handlers are called back and coroutines resume: the connection's reactor, with kIoThreads
  // the thread of all handlers. Work posted here must not block.
  const asio::any_io_executor& executor() const noexcept { return connection_->executor; }

  // When the caller stops waiting; none if it waits for ever.
  std::optional<Clock::time_point> deadline() const noexcept { return deadline_; }
  // Which try this is, 1 for the first.
  std::uint32_t attempt() const noexcept { return attempt_; }

  // True once the caller has cancelled, gone, or run out of time. Any thread.
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
  // `callback` runs once, on executor() (or at once), when the call is cancelled; not after it
  // ended.
  void OnCancel(std::function<void()> callback);

  const Metadata& metadata() const noexcept { return metadata_; }
  // The first value under `key`, or an empty view.
  std::string_view FindMetadata(std::string_view key) const noexcept {
    for (const auto& [name, value] : metadata_) {
      if (name == key) return value;
    }
    return {};
  }

  // Bytes that came beside the request. May be moved from.
  Buffer& attachment() noexcept { return attachment_; }
  // Bytes that go beside the reply, uncopied. Only before the reply.
  void SetReplyAttachment(Buffer attachment) noexcept { reply_attachment_ = std::move(attachment); }

 private:
  friend class detail::ServerCall;

  const detail::ConnectionFacts* connection_;
  const MethodInfo* method_;
  std::optional<Clock::time_point> deadline_;
  std::uint32_t attempt_ = 1;
  std::atomic<bool> cancelled_{false};
  Metadata metadata_;
  Buffer attachment_;
  Buffer reply_attachment_;
  std::mutex cancel_mutex_;
  std::function<void()> on_cancel_;
};

}  // namespace weir
