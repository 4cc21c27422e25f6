// ServerLoad: what a server knows of its own load, for the LoadReport of each reply.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "weir/endpoint.h"

namespace weir {

// One reactor's part, written by its thread alone, so that counting takes no locked instruction.
class alignas(64) LoadCell {
 public:
  using Duration = std::chrono::nanoseconds;

  // A handler begins or ends that answers within the turn.
  void BeginTurnCall() noexcept { in_turn_.store(1, std::memory_order_relaxed); }
  void EndTurnCall() noexcept { in_turn_.store(0, std::memory_order_relaxed); }
  // A handler has worked for so long on `calls` calls.
  void Served(Duration time, std::uint64_t calls = 1) noexcept {
    Add(time_ns_, static_cast<std::uint64_t>(time.count() > 0 ? time.count() : 0));
    Add(calls_, calls);
  }

 private:
  friend class ServerLoad;
  static void Add(std::atomic<std::uint64_t>& sum, std::uint64_t amount) noexcept {
    sum.store(sum.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> in_turn_{0};
  std::atomic<std::uint64_t> time_ns_{0};  // since the start
  std::atomic<std::uint64_t> calls_{0};
};

// All reactors together. Reports are asked for with every reply, so the cells, which are other
// threads' cache lines, are looked at no more often than every kFresh.
class ServerLoad {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::microseconds kFresh{20};
  // The mean service time is that of about so many last calls.
  static constexpr double kMemory = 64;

  // `slots`: calls that can be worked on at once.
  ServerLoad(std::uint32_t cells, std::uint32_t slots);

  LoadCell& cell(std::uint32_t i) noexcept { return cells_[i]; }
  // `running`: calls in flight that outlive their turns. Any thread.
  LoadReport Report(std::uint32_t running, TimePoint now) noexcept;

 private:
  void Refresh() noexcept;

  const std::unique_ptr<LoadCell[]> cells_;
  const std::uint32_t cell_count_;
  const std::uint16_t slots_;
  // Of all cells, as of fresh_until_ - kFresh.
  std::atomic<TimePoint> fresh_until_{TimePoint::min()};
  std::atomic<std::uint32_t> in_turn_{0};
  std::atomic<std::uint32_t> service_100ns_{0};

  std::atomic<bool> refreshing_{false};  // of the one who does are:
  std::uint64_t time_ns_ = 0;            // what the cells had when last looked at
  std::uint64_t calls_ = 0;
  double mean_ns_ = 0;
};

}  // namespace weir
