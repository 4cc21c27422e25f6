// TimerWheel: the deadlines of a reactor. Setting and clearing a timer is O(1) and allocates
// nothing. Source of the idea: G. Varghese, T. Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
// 1987 (scheme 6, hashed wheel with unsorted lists).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "weir/detail/intrusive.h"

namespace weir {

// Longer than any timeout: what users and peers ask for is cut to this, so that sums with the clock
// never overflow.
inline constexpr std::chrono::nanoseconds kLongestTimeout = std::chrono::hours(24 * 365);

// Fires within one tick after the expiry, never before it. One thread; the owner drives it with the
// clock, so that tests need no real time.
class TimerWheel {
 public:
  using Clock = detail::TimerNode::Clock;
  using TimePoint = Clock::time_point;
  static constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(1);

  explicit TimerWheel(TimePoint now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Sets `node` (which must not be set) to fire at `node.expiry`.
  void Set(detail::TimerNode& node) noexcept;
  // Clears it if it is set.
  void Clear(detail::TimerNode& node) noexcept;
  // Fires everything that has expired. Callbacks may set and clear timers, also their own.
  void Advance(TimePoint now) noexcept;
  // When Advance should be called next; TimePoint::max() if no timer is set.
  TimePoint NextWakeup() const noexcept;

 private:
  static constexpr std::uint64_t kSlots = 1024;

  std::uint64_t TickOf(TimePoint time) const noexcept;
  void LinkInto(std::uint64_t slot, detail::TimerNode& node) noexcept;
  static void Unlink(detail::TimerNode& node) noexcept;

  const TimePoint origin_;
  std::uint64_t current_ = 0;                    // ticks up to this one have fired
  std::array<detail::TimerNode, kSlots> slots_;  // rings with a sentinel each
  std::array<std::uint64_t, kSlots / 64> occupied_{};
};

}  // namespace weir
