// Endpoint: what a channel has learnt of one provider: calls in flight, latencies, failures, and
// what the provider itself says about its load.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

namespace weir {

// What a provider says about its load with each answer, in eight bytes. A value.
struct LoadReport {
  // Calls it has taken and not yet answered, up to 65,535; with the one that this answers.
  std::uint16_t in_flight = 0;
  std::uint16_t slots = 0;          // calls it can work on at once; 0: it does not tell
  std::uint32_t service_100ns = 0;  // a call's time once it is worked on, mean over all methods

  constexpr std::uint64_t Pack() const noexcept {
    return std::uint64_t{in_flight} << 48 | std::uint64_t{slots} << 32 | service_100ns;
  }
  static constexpr LoadReport Unpack(std::uint64_t packed) noexcept {
    return {static_cast<std::uint16_t>(packed >> 48), static_cast<std::uint16_t>(packed >> 32),
            static_cast<std::uint32_t>(packed)};
  }
  constexpr double service_ns() const noexcept { return 100.0 * service_100ns; }
  friend bool operator==(const LoadReport&, const LoadReport&) = default;
};

// How an attempt ended, as far as it tells something about the provider.
enum class Outcome : std::uint8_t {
  kAnswered,  // with a reply, or an error that is the caller's own (NOT_FOUND, ...)
  kFaulted,   // with an error that speaks against the provider (UNAVAILABLE, INTERNAL, ...)
  kLost,      // its connection was lost, or could not be made
  kLate,      // its deadline passed while the provider had it
  kAbandoned  // the caller gave it up; says nothing
};

// One reactor's part in an endpoint, on a cache line of its own: that reactor's thread alone writes
// it, so that counting takes no locked instruction. Everybody may read.
class alignas(64) EndpointCell {
 public:
  std::uint32_t active() const noexcept { return active_.load(std::memory_order_acquire); }
  std::uint64_t calls() const noexcept { return calls_.load(std::memory_order_relaxed); }
  // Sum of the start times of the calls in flight, modulo 2^64.
  std::uint64_t started_sum() const noexcept {
    return started_sum_.load(std::memory_order_relaxed);
  }

 private:
  friend class Endpoint;
  friend class Snapshot;
  static constexpr std::size_t kShows = 2;

  void Set(std::uint32_t active) noexcept {
    for (std::uint32_t* show : shows_) {
      if (show != nullptr) {
        std::atomic_ref<std::uint32_t>(*show).store(active, std::memory_order_relaxed);
      }
    }
    // Last: without active calls an endpoint that is no longer listed may vanish.
    active_.store(active, std::memory_order_release);
  }

  std::atomic<std::uint32_t> active_{0};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> started_sum_{0};
  std::uint32_t* shows_[kShows] = {};  // where snapshots show `active_`; of the writer alone
};

// What an endpoint knew at one moment, all cells together. A value; see PickRecord.
struct EndpointState {
  std::uint32_t active = 0;
  std::uint32_t failures = 0;
  std::uint64_t calls = 0;
  std::uint64_t started_sum = 0;  // as EndpointCell::started_sum
  std::uint64_t report = 0;       // LoadReport::Pack
  std::int64_t reported_ns = 0;
  std::int64_t heard_ns = 0;
  std::int64_t started_ns = 0;
  float latency_ns = 0;
  float peak_ns = 0;
  float error_rate = 0;
  float others = 0;

  friend bool operator==(const EndpointState&, const EndpointState&) = default;
};

// Shared by all threads of a channel; outlives changes of the provider list, so that a provider
// that stays, or returns soon, keeps what is known of it. The estimates are kept by relaxed loads
// and stores: two answers at the same instant may count as one. Times are those of one steady
// clock, in nanoseconds.
class alignas(64) Endpoint {
 public:
  // `cells`: threads that count. `started_ns`: when the provider started, for slow_start; 0: long
  // ago.
  explicit Endpoint(std::uint32_t cells = 1, std::int64_t started_ns = 0)
      : started_ns_(started_ns), cell_count_(cells), cells_(new EndpointCell[cells]) {}
  // One that knows what another knew; of one cell.
  explicit Endpoint(const EndpointState& state) : Endpoint(1, state.started_ns) {
    report_ = state.report;
    reported_ns_ = state.reported_ns;
    heard_ns_ = state.heard_ns;
    latency_ns_ = state.latency_ns;
    peak_ns_ = state.peak_ns;
    error_rate_ = state.error_rate;
    others_ = state.others;
    failures_ = state.failures;
    cells_[0].calls_ = state.calls;
    cells_[0].started_sum_ = state.started_sum;
    cells_[0].Set(state.active);
  }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // For whoever counts; each cell has one writer.
  void OnStart(std::uint32_t cell, std::int64_t now_ns) noexcept {
    EndpointCell& own = cells_[cell];
    Add(own.started_sum_, static_cast<std::uint64_t>(now_ns));
    own.Set(own.active() + 1);
  }
  // Once for each OnStart; `started_ns` is its `now_ns`.
  void OnEnd(std::uint32_t cell, std::int64_t started_ns, std::int64_t now_ns,
             Outcome outcome) noexcept {
    Learn(started_ns, now_ns, outcome);
    EndpointCell& own = cells_[cell];
    Add(own.calls_, 1);
    Add(own.started_sum_, std::uint64_t{0} - static_cast<std::uint64_t>(started_ns));
    own.Set(own.active() - 1);
  }
  // Before the OnEnd of the call it came with.
  void OnReport(LoadReport report, std::int64_t now_ns) noexcept {
    const auto others = static_cast<float>(report.in_flight) - static_cast<float>(active());
    others_.store(std::max(others, 0.0F), std::memory_order_relaxed);
    report_.store(report.Pack(), std::memory_order_relaxed);
    reported_ns_.store(now_ns, std::memory_order_relaxed);
  }
  void set_started_ns(std::int64_t started_ns) noexcept {
    started_ns_.store(started_ns, std::memory_order_relaxed);
  }

  // For strategies and whoever looks on; any thread.
  //
  // Calls in flight from this channel. (Snapshot::active is faster.)
  std::uint32_t active() const noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < cell_count_; ++i) sum += cells_[i].active();
    return sum;
  }
  std::uint64_t calls() const noexcept {  // attempts that have ended
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < cell_count_; ++i) sum += cells_[i].calls();
    return sum;
  }
  // How long the calls in flight have been on their way, all together; 0 without any.
  std::int64_t waited_ns(std::int64_t now_ns) const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < cell_count_; ++i) {
      sum += cells_[i].active() * static_cast<std::uint64_t>(now_ns) - cells_[i].started_sum();
    }
    return std::max<std::int64_t>(static_cast<std::int64_t>(sum), 0);
  }
  EndpointState state() const noexcept {
    std::uint64_t started_sum = 0;
    for (std::uint32_t i = 0; i < cell_count_; ++i) started_sum += cells_[i].started_sum();
    return {.active = active(),
            .failures = failures(),
            .calls = calls(),
            .started_sum = started_sum,
            .report = report_.load(std::memory_order_relaxed),
            .reported_ns = reported_ns(),
            .heard_ns = heard_ns(),
            .started_ns = started_ns(),
            .latency_ns = latency_ns(),
            .peak_ns = peak_ns(),
            .error_rate = error_rate(),
            .others = others()};
  }
  // Faults, losses and passed deadlines since the last good answer.
  std::uint32_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
  // The last report and when it came; 0: none has.
  LoadReport report() const noexcept {
    return LoadReport::Unpack(report_.load(std::memory_order_relaxed));
  }
  std::int64_t reported_ns() const noexcept { return reported_ns_.load(std::memory_order_relaxed); }
  // Calls of other channels that the provider had when it reported.
  float others() const noexcept { return others_.load(std::memory_order_relaxed); }
  // Mean time of the last answers; 0: none yet. Each new one weighs 1/16, or after a silence what
  // Keep() has taken from the older ones. A failure counts as an answer only if it took longer than
  // the mean: one that fails fast is not fast.
  float latency_ns() const noexcept { return latency_ns_.load(std::memory_order_relaxed); }
  // The same, but it rises to each longer time at once and falls towards the shorter ones with the
  // time between them ("Peak EWMA", of Finagle).
  float peak_ns() const noexcept { return peak_ns_.load(std::memory_order_relaxed); }
  // The part of the last attempts that failed, weighed as in latency_ns but forgotten faster.
  float error_rate() const noexcept { return error_rate_.load(std::memory_order_relaxed); }
  // When the last attempt ended, well or badly, abandoned ones apart; 0: none has.
  std::int64_t heard_ns() const noexcept { return heard_ns_.load(std::memory_order_relaxed); }
  std::int64_t started_ns() const noexcept { return started_ns_.load(std::memory_order_relaxed); }

  // What a silence leaves of what was known before it: close to exp(-silence / decay), without the
  // exponential.
  static constexpr float Keep(float silence_ns, float decay_ns) noexcept {
    const float root = 4 * decay_ns / (4 * decay_ns + silence_ns);
    return root * root * root * root;
  }
  static constexpr float kDecayNs = 10e9F;        // of times
  static constexpr float kErrorDecayNs = 2.5e9F;  // of failures
  static constexpr float kGain = 1.0F / 16;

 private:
  friend class Snapshot;

  static void Add(std::atomic<std::uint64_t>& sum, std::uint64_t amount) noexcept {
    sum.store(sum.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  void Learn(std::int64_t started_ns, std::int64_t now_ns, Outcome outcome) noexcept {
    if (outcome == Outcome::kAbandoned) return;
    const bool good = outcome == Outcome::kAnswered;
    if (!good) {
      failures_.fetch_add(1, std::memory_order_relaxed);
    } else if (failures() != 0) {
      failures_.store(0, std::memory_order_relaxed);
    }
    const auto silence = static_cast<float>(std::max<std::int64_t>(now_ns - heard_ns(), 0));
    heard_ns_.store(now_ns, std::memory_order_relaxed);
    const float errors = error_rate();
    if (!good || errors != 0) {
      const float gain = std::max(kGain, 1 - Keep(silence, kErrorDecayNs));
      const float next = errors + ((good ? 0.0F : 1.0F) - errors) * gain;
      error_rate_.store(next < 1e-6F ? 0.0F : next, std::memory_order_relaxed);
    }
    if (outcome == Outcome::kLost) return;
    const auto taken = static_cast<float>(std::max<std::int64_t>(now_ns - started_ns, 1));
    const float keep = Keep(silence, kDecayNs);
    const float mean = latency_ns();
    if (good || taken > mean) {
      const float gain = mean == 0 ? 1 : std::max(kGain, 1 - keep);
      latency_ns_.store(mean + (taken - mean) * gain, std::memory_order_relaxed);
    }
    const float peak = peak_ns();
    if (taken > peak) {
      peak_ns_.store(taken, std::memory_order_relaxed);
    } else if (good) {
      peak_ns_.store(taken + (peak - taken) * keep, std::memory_order_relaxed);
    }
  }

  std::atomic<std::uint64_t> report_{0};
  std::atomic<std::int64_t> reported_ns_{0};
  std::atomic<std::int64_t> heard_ns_{0};
  std::atomic<std::int64_t> started_ns_;
  std::atomic<float> latency_ns_{0};
  std::atomic<float> peak_ns_{0};
  std::atomic<float> error_rate_{0};
  std::atomic<float> others_{0};
  std::atomic<std::uint32_t> failures_{0};
  const std::uint32_t cell_count_;
  const std::unique_ptr<EndpointCell[]> cells_;
};
static_assert(sizeof(Endpoint) == 64);

}  // namespace weir
