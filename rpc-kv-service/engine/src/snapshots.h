// Which states of the store somebody still looks at.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "group_buffer.h"
#include "index.h"

namespace weir::kv {

// Makes commits visible and hands out snapshots, one at a time, so that a snapshot sees each commit
// whole or not at all. A snapshot is the seq of the newest commit it sees. Thread-safe.
class Snapshots {
 public:
  explicit Snapshots(Index& index) : index_(index) {}

  // Before anything else: what recovery has found.
  void Start(std::uint64_t last_seq) { visible_ = last_seq; }

  void Publish(std::span<const GroupBuffer::Publication> publications, std::uint64_t last_seq) {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, version] : publications) index_.Apply(key, version, live_);
    visible_.store(last_seq, std::memory_order_release);
  }

  std::uint64_t Acquire() {
    const std::lock_guard lock(mutex_);
    live_.push_back(visible_);  // ascending, because commits are
    return live_.back();
  }

  void Release(std::uint64_t snapshot) {
    const std::lock_guard lock(mutex_);
    live_.erase(std::lower_bound(live_.begin(), live_.end(), snapshot));
    index_.Prune(live_);
  }

  std::uint64_t visible() const noexcept { return visible_.load(std::memory_order_acquire); }

 private:
  Index& index_;
  std::mutex mutex_;
  std::vector<std::uint64_t> live_;
  std::atomic<std::uint64_t> visible_{0};
};

}  // namespace weir::kv
