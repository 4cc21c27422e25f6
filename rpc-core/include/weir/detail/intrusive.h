// Nodes that live inside calls and connections, so that handing a call to a reactor or setting its
// deadline allocates nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::detail {

// Work for a reactor, posted through its mailbox. Posted at most once at a time.
struct Task {
  using Run = void (*)(Task* task) noexcept;
  Run run = nullptr;
  Task* next = nullptr;
};

// A timer of a reactor's wheel. Touched only on that reactor.
struct TimerNode {
  using Clock = std::chrono::steady_clock;
  using Fire = void (*)(TimerNode* node) noexcept;

  Fire fire = nullptr;
  Clock::time_point expiry{};
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;  // null: not set

  bool is_set() const noexcept { return next != nullptr; }
};

}  // namespace weir::detail
