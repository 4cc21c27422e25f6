#include "server/server_load.h"

#include <algorithm>
#include <limits>

namespace weir {

ServerLoad::ServerLoad(std::uint32_t cells, std::uint32_t slots)
    : cells_(new LoadCell[cells]),
      cell_count_(cells),
      slots_(static_cast<std::uint16_t>(
          std::clamp<std::uint32_t>(slots, 1, std::numeric_limits<std::uint16_t>::max()))) {}

LoadReport ServerLoad::Report(std::uint32_t running, TimePoint now) noexcept {
  if (now >= fresh_until_.load(std::memory_order_relaxed) &&
      !refreshing_.exchange(true, std::memory_order_acquire)) {
    Refresh();
    fresh_until_.store(now + kFresh, std::memory_order_relaxed);
    refreshing_.store(false, std::memory_order_release);
  }
  LoadReport report;
  const std::uint32_t in_flight = running + in_turn_.load(std::memory_order_relaxed);
  report.in_flight = static_cast<std::uint16_t>(
      std::min<std::uint32_t>(in_flight, std::numeric_limits<std::uint16_t>::max()));
  report.slots = slots_;
  report.service_100ns = service_100ns_.load(std::memory_order_relaxed);
  return report;
}

void ServerLoad::Refresh() noexcept {
  std::uint32_t in_turn = 0;
  std::uint64_t time_ns = 0;
  std::uint64_t calls = 0;
  for (std::uint32_t i = 0; i < cell_count_; ++i) {
    in_turn += cells_[i].in_turn_.load(std::memory_order_relaxed);
    time_ns += cells_[i].time_ns_.load(std::memory_order_relaxed);
    calls += cells_[i].calls_.load(std::memory_order_relaxed);
  }
  in_turn_.store(in_turn, std::memory_order_relaxed);
  if (calls <= calls_) return;
  const auto fresh = static_cast<double>(calls - calls_);
  const double mean = static_cast<double>(time_ns - time_ns_) / fresh;
  // The first calls count alike; later each one moves the mean by 1 / kMemory.
  const double gain = std::max(fresh / static_cast<double>(calls), fresh / (fresh + kMemory - 1));
  mean_ns_ += (mean - mean_ns_) * gain;
  time_ns_ = time_ns;
  calls_ = calls;
  service_100ns_.store(
      static_cast<std::uint32_t>(
          std::clamp(mean_ns_ / 100 + 0.5, 1.0, double{std::numeric_limits<std::uint32_t>::max()})),
      std::memory_order_relaxed);
}

}  // namespace weir
