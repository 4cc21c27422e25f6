// Channel: a consumer's way to the providers of services.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/endpoint.h"
#include "weir/method.h"
#include "weir/runtime.h"
#include "weir/socket_options.h"
#include "weir/status.h"

namespace weir {

struct PickRecord;

namespace detail {
class ChannelCore;
}

// When a channel sends a provider no calls for a while, because it fails so much more than the
// others. Failures are lost connections, passed deadlines, and the answers UNAVAILABLE, INTERNAL,
// UNKNOWN, DATA_LOSS and RESOURCE_EXHAUSTED; the caller's own mistakes are none. A provider is
// never ejected while the others fail half as much or more. Calls that are bound to a provider
// (CallOptions::WithProvider) go there nevertheless, and count.
struct OutlierEjection {
  bool enabled = true;
  // So many failures without an answer between them. 0: not a reason.
  std::uint32_t consecutive_failures = 5;
  // This part of its last calls (about 16) failed, and it had at least `least_calls` within
  // `interval`. 0: not a reason.
  double error_rate = 0.5;
  std::uint32_t least_calls = 20;
  std::chrono::nanoseconds interval = std::chrono::seconds(10);
  // Calls are in flight and nothing was heard for so long: half of it until the provider is asked
  // for a sign of life (LOAD_ASK), which its handlers cannot hold up unless they block its reactor,
  // and half to wait for it. 0: not a reason.
  std::chrono::nanoseconds silence = std::chrono::seconds(1);
  // For how long, the first time; doubled each time in a row, with a jitter of this part. Then one
  // call per reactor goes there on trial. Who was silent comes back with its first sign of life,
  // and whose connection is made anew is tried at once.
  std::chrono::nanoseconds base_time = std::chrono::seconds(10);
  std::chrono::nanoseconds max_time = std::chrono::minutes(5);
  double jitter = 0.1;
  // No more than this part of the list at once, but always one if there are two or more.
  std::uint32_t max_ejected_percent = 10;
  // If less than this part of the list could be used, those out of reach left out, too, calls go to
  // ejected ones as well.
  std::uint32_t panic_threshold_percent = 50;
};

struct ChannelOptions {
  // Strategy by name, with parameters and decorators: "round_robin", "consistent_hash:vnodes=160",
  // "subset(k=20)|p2c".
  std::string load_balance = "round_robin";
  // Where this consumer is, for decorators that prefer near providers ("zone|p2c"). Empty: unknown.
  std::string zone = {};
  OutlierEjection outlier_ejection = {};
  // How long a call waits for what providers say of their load if the strategy wants to know it
  // first; no longer than a quarter of what is left of its deadline.
  std::chrono::nanoseconds probe_timeout = std::chrono::milliseconds(5);
  // Is given a record of every pick (weir/pick_record.h), by the reactor that makes it; must not
  // block. Costs a copy of what is known of every provider per call; null: costs nothing.
  std::function<void(const PickRecord&)> pick_log = nullptr;
  // Deadline of calls that set none.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  // From the start of a TCP connect to the first valid frame of the provider.
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  // Connections to each provider from each reactor of the channel, 1 to 64. One is right but where
  // it is the bottleneck itself: large payloads that hold up other calls, or a provider that gives
  // each connection one thread. More are made as calls find those there are occupied, and each call
  // takes the one with the fewest in flight.
  std::uint32_t connections_per_provider = 1;
  // A connection without calls is closed after this long.
  std::chrono::nanoseconds idle_timeout = std::chrono::minutes(10);
  // PING after this much silence; with calls in flight, after keepalive_busy.
  std::chrono::nanoseconds keepalive = std::chrono::seconds(30);
  std::chrono::nanoseconds keepalive_busy = std::chrono::seconds(10);
  // How long a PING may go unanswered before the connection is given up.
  std::chrono::nanoseconds keepalive_timeout = std::chrono::seconds(10);
  // First wait before reconnecting; grows by 1.6 up to reconnect_max, jitter 0.2.
  std::chrono::nanoseconds reconnect_min = std::chrono::milliseconds(100);
  std::chrono::nanoseconds reconnect_max = std::chrono::seconds(5);
  // When the registry suddenly shows none or less than half of the providers it showed before,
  // those that still answer stay in use for so long. 0: never.
  std::chrono::nanoseconds keep_answering = std::chrono::minutes(10);
  // How long a call waits for the registry's first answer before it fails with UNAVAILABLE; a call
  // that waits for ready does so until its deadline.
  std::chrono::nanoseconds registry_patience = std::chrono::seconds(3);
  // A directory (made if missing) where the last lists of providers are kept. A channel that starts
  // while its registry cannot be reached uses them, if they are at most 24 hours old. Empty: none.
  std::string provider_cache = {};
  // Attempts per call, the first included. Calls that provably did not start are tried again on
  // another provider for free; others only if the method is idempotent, and against a budget.
  std::uint32_t max_attempts = 3;
  // Calls waiting for a provider or for room on a connection; above it RESOURCE_EXHAUSTED.
  std::uint32_t max_waiting_calls = 16'384;
  // Largest reply message and attachment accepted, bytes.
  std::uint32_t max_message_bytes = 16u << 20;
  std::uint32_t max_attachment_bytes = 64u << 20;
  // Send and verify XXH3-64 checksums of payloads.
  bool checksum = false;
  // The threads that run this channel's connections. Null: the channel makes its own, with
  // `threads`. Give a server's runtime so that calls made in its handlers need no other thread.
  std::shared_ptr<Runtime> runtime = nullptr;
  ThreadOptions threads = {.model = ThreadModel::kMultiReactor, .reactors = 1};
  // Of the connections. (Last, because GCC 12 gives false warnings otherwise when `runtime` is made
  // in the braces.)
  SocketOptions socket = {};
};

// A provider as one channel sees it. A value.
struct ProviderState {
  std::string address;
  std::int32_t weight = 0;
  std::uint32_t active = 0;    // calls in flight from this channel
  std::uint32_t failures = 0;  // attempts that failed since the last success
  std::uint64_t calls = 0;     // attempts that have ended; begins anew some time after it left
  std::chrono::nanoseconds latency{};  // mean of the last answers; 0: none yet
  double error_rate = 0;               // of the last attempts
  LoadReport report = {};              // what it said of its load last; all 0: nothing yet
  bool ejected = false;  // gets no calls for a while (OutlierEjection), or one on trial
};

// Finds providers through a registry, keeps one multiplexed connection per provider and reactor (or
// some), chooses a provider per call, and retries where that is safe. A resource; thread-safe.
// Stubs made from it keep its core alive. The destructor fails what is still running with
// CANCELLED.
class Channel {
 public:
  // `registry_url`: "zk://...", "file://...", "list://host:port", "list://unix:/path", ...
  // (weir/registry.h). A mistake in it or in the options does not throw: status() tells, and so
  // does every call.
  explicit Channel(std::string_view registry_url, ChannelOptions options = {});
  ~Channel();
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;

  // Why this channel cannot be used; OK if it can.
  const Status& status() const noexcept;
  // Waits until a provider of `service` is known. DEADLINE_EXCEEDED otherwise. Not from a reactor.
  Status WaitForProviders(std::string_view service, std::chrono::nanoseconds timeout);
  // Those that calls to `service` are spread over at this moment, sorted by address; not those that
  // are draining. Empty
  // before the registry has answered. Any thread; takes microseconds.
  std::vector<ProviderState> Providers(std::string_view service) const;

  const std::shared_ptr<detail::ChannelCore>& core() const noexcept { return core_; }

 private:
  std::shared_ptr<detail::ChannelCore> core_;
};

}  // namespace weir
