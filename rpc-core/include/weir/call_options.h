// What a caller may say about one call.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weir/buffer.h"

namespace weir {

class ServerContext;

// Metadata pairs that travel with a call, in order; keys may repeat.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// A value with chained setters: CallOptions().WithTimeout(50ms).WithKey("user:7"). A class and not
// an aggregate, because GCC 12 destroys a non-trivial aggregate twice when it is written inside a
// co_await expression.
class CallOptions {
 public:
  using Clock = std::chrono::steady_clock;

  CallOptions() noexcept = default;
  CallOptions(CallOptions&&) noexcept = default;
  CallOptions& operator=(CallOptions&&) noexcept = default;
  CallOptions(const CallOptions& other)
      : timeout_(other.timeout_),
        deadline_(other.deadline_),
        wait_for_ready_(other.wait_for_ready_),
        rare_(other.rare_ ? std::make_unique<Rare>(*other.rare_) : nullptr) {}
  CallOptions& operator=(const CallOptions& other) { return *this = CallOptions(other); }

  // The call ends with DEADLINE_EXCEEDED this long after it was started, whatever happens. Zero or
  // less: at once. Unset: ChannelOptions::timeout.
  CallOptions&& WithTimeout(std::chrono::nanoseconds timeout) && noexcept {
    timeout_ = timeout;
    return std::move(*this);
  }
  // For a call made inside a handler: it ends no later than the call being handled.
  CallOptions&& Within(const ServerContext& context) &&;
  // While no provider can be reached, wait for one until the deadline instead of failing at once.
  CallOptions&& WaitForReady(bool wait = true) && noexcept {
    wait_for_ready_ = wait;
    return std::move(*this);
  }
  // The routing key of consistent hashing; overrides the field marked (weir.hash_key).
  CallOptions&& WithKey(std::string key) && {
    Get().key = std::move(key);
    return std::move(*this);
  }
  // Only this provider ("host:port", "unix:/path") may serve the call. If it is not alive the call
  // fails with UNAVAILABLE naming it; it never goes elsewhere.
  CallOptions&& WithProvider(std::string address) && {
    Get().provider = std::move(address);
    return std::move(*this);
  }
  CallOptions&& WithMetadata(std::string key, std::string value) && {
    Get().metadata.emplace_back(std::move(key), std::move(value));
    return std::move(*this);
  }
  // Bytes that travel beside the request, uncopied.
  CallOptions&& WithAttachment(Buffer attachment) && {
    Get().attachment = std::move(attachment);
    return std::move(*this);
  }
  // Where the attachment of the reply goes; written before the call completes. `into` must live
  // until then. Without it a reply's attachment is dropped.
  CallOptions&& ReceiveAttachment(Buffer* into) && {
    Get().reply_attachment = into;
    return std::move(*this);
  }

  // What was set, for the runtime.
  struct Rare {
    std::optional<std::string> key;
    std::string provider;
    Metadata metadata;
    Buffer attachment;
    Buffer* reply_attachment = nullptr;
  };
  std::optional<std::chrono::nanoseconds> timeout() const noexcept { return timeout_; }
  std::optional<Clock::time_point> deadline_limit() const noexcept { return deadline_; }
  bool wait_for_ready() const noexcept { return wait_for_ready_; }
  const Rare* rare() const noexcept { return rare_.get(); }
  Rare* rare() noexcept { return rare_.get(); }

 private:
  Rare& Get() {
    if (!rare_) rare_ = std::make_unique<Rare>();
    return *rare_;
  }

  std::optional<std::chrono::nanoseconds> timeout_;
  std::optional<Clock::time_point> deadline_;
  bool wait_for_ready_ = false;
  std::unique_ptr<Rare> rare_;
};
static_assert(!std::is_aggregate_v<CallOptions>);

// The most frequent option: greeter.Hello(request, weir::Timeout(50ms)).
inline CallOptions Timeout(std::chrono::nanoseconds timeout) noexcept {
  return CallOptions().WithTimeout(timeout);
}

}  // namespace weir
