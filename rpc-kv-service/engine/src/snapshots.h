// Which states of the store somebody still looks at.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>

#include "index.h"
#include "weir/kv/clock.h"

namespace weir::kv {

// The one place that changes the index: makes commits visible, moves what a merge has moved, hands
// out snapshots, one at a time, so that a snapshot sees each commit whole or not at all.
// Thread-safe.
class Snapshots {
 public:
  struct Taken {
    SnapshotId id;
    std::uint64_t seq;  // of the newest commit it sees
  };

  explicit Snapshots(Index& index) : index_(index) {}

  // Before anything else: what recovery has found.
  void Start(std::uint64_t last_seq) { visible_ = last_seq; }

  void Publish(std::span<const Change> changes, std::uint64_t last_seq) {
    const std::lock_guard lock(mutex_);
    index_.Apply(changes);
    visible_.store(last_seq, std::memory_order_release);
    if (waiting_ > 0) published_.notify_all();
  }

  // Waits until commit `seq` is visible. False: it was not by the deadline.
  bool WaitVisible(std::uint64_t seq, Clock& clock, Clock::TimePoint deadline) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    while (visible_ < seq && clock.Now() < deadline) clock.WaitUntil(lock, published_, deadline);
    --waiting_;
    return visible_ >= seq;
  }

  void Relocate(std::span<Move> moves) {
    const std::lock_guard lock(mutex_);
    index_.Relocate(moves);
  }

  Taken Acquire() {
    const std::lock_guard lock(mutex_);
    index_.AddSnapshot(++last_id_);
    live_.insert(last_id_);
    return {last_id_, visible_};
  }

  void Release(SnapshotId id) {
    const std::lock_guard lock(mutex_);
    live_.erase(id);
    index_.RemoveSnapshot(id);
  }

  // The id the next snapshot will have: all that are live have smaller ones.
  SnapshotId next_id() const {
    const std::lock_guard lock(mutex_);
    return last_id_ + 1;
  }
  // True while a snapshot with an id below `id` lives.
  bool AnyBelow(SnapshotId id) const {
    const std::lock_guard lock(mutex_);
    return !live_.empty() && *live_.begin() < id;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return live_.size();
  }

  std::uint64_t visible() const noexcept { return visible_.load(std::memory_order_acquire); }

 private:
  Index& index_;
  mutable std::mutex mutex_;
  SnapshotId last_id_ = 0;
  std::set<SnapshotId> live_;
  std::atomic<std::uint64_t> visible_{0};
  std::uint64_t waiting_ = 0;  // threads in WaitVisible
  std::condition_variable published_;
};

}  // namespace weir::kv
