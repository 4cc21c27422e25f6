// Which states of the store somebody still looks at.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "index.h"
#include "weir/kv/clock.h"
#include "weir/status.h"

namespace weir::kv {

// What has become of a snapshot that somebody holds.
class SnapshotFate {
 public:
  // After a look at the index: ABORTED if the snapshot was given up, so that what was found there
  // means nothing.
  Status Check() const {
    // What the look found decides, if it found that the snapshot is gone.
    std::atomic_thread_fence(std::memory_order_acquire);
    switch (end_.load(std::memory_order_acquire)) {
      case End::kNone:
        return {};
      case End::kTooOld:
        return Aborted("the snapshot was given up because it is older than " +
                       std::to_string(limit_) + " ms (snapshot_ttl): take a new one");
      case End::kTooBig:
        return Aborted("the snapshot was given up because what has changed since needs more than " +
                       std::to_string(limit_) + " bytes (snapshot_memory): take a new one");
    }
    return {};
  }

 private:
  friend class Snapshots;
  enum class End : std::uint8_t { kNone, kTooOld, kTooBig };
  std::atomic<End> end_{End::kNone};
  std::uint64_t limit_ = 0;  // that was passed
};

// The one place that changes the index: makes commits visible, moves what a merge has moved, hands
// out snapshots, one at a time, so that a snapshot sees each commit whole or not at all.
// Thread-safe.
class Snapshots {
 public:
  struct Taken {
    SnapshotId id;
    std::uint64_t seq;  // of the newest commit it sees
    std::shared_ptr<const SnapshotFate> fate;
  };

  explicit Snapshots(Index& index) : index_(index) {}

  // Before anything else: what recovery has found.
  void Start(std::uint64_t last_seq) { visible_ = last_seq; }

  // How long a snapshot may live, and how many bytes the index may hold for all of them; who is
  // over a limit is given up, the oldest first. Before the first snapshot.
  void SetLimits(std::shared_ptr<const Clock> clock, std::chrono::milliseconds ttl,
                 std::uint64_t bytes) {
    clock_ = std::move(clock);
    ttl_ = ttl;
    most_bytes_ = bytes;
  }

  void Publish(std::span<const Change> changes, std::uint64_t last_seq) {
    const std::lock_guard lock(mutex_);
    index_.Apply(changes);
    visible_.store(last_seq, std::memory_order_release);
    if (!live_.empty()) GiveUpLocked();
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

  // Returns when no change is under way any more that had begun: SegmentUsage then knows of all
  // that a reader has seen in the index before.
  void Settle() const { const std::lock_guard lock(mutex_); }

  void Relocate(std::span<Move> moves) {
    const std::lock_guard lock(mutex_);
    index_.Relocate(moves);
  }

  Taken Acquire() {
    const std::lock_guard lock(mutex_);
    if (!live_.empty()) GiveUpLocked();
    index_.AddSnapshot(++last_id_);
    Live& live = live_[last_id_];
    if (clock_ != nullptr) live.taken = clock_->Now();
    return {last_id_, visible_, live.fate};
  }

  // Also of one that was given up.
  void Release(SnapshotId id) {
    const std::lock_guard lock(mutex_);
    if (live_.erase(id) != 0) index_.RemoveSnapshot(id);
  }

  // Gives up the snapshots that are over the limits now.
  void GiveUp() {
    const std::lock_guard lock(mutex_);
    GiveUpLocked();
  }

  // The id the next snapshot will have: all that are live have smaller ones.
  SnapshotId next_id() const {
    const std::lock_guard lock(mutex_);
    return last_id_ + 1;
  }
  // True while a snapshot with an id below `id` lives.
  bool AnyBelow(SnapshotId id) const {
    const std::lock_guard lock(mutex_);
    return !live_.empty() && live_.begin()->first < id;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return live_.size();
  }

  std::uint64_t visible() const noexcept { return visible_.load(std::memory_order_acquire); }

 private:
  struct Live {
    Clock::TimePoint taken{};
    std::shared_ptr<SnapshotFate> fate = std::make_shared<SnapshotFate>();
  };

  void GiveUpLocked() {
    if (clock_ == nullptr) return;
    const auto too_old = clock_->Now() - ttl_;
    while (!live_.empty() && live_.begin()->second.taken < too_old) {
      EndOldest(SnapshotFate::End::kTooOld, static_cast<std::uint64_t>(ttl_.count()));
    }
    while (!live_.empty() && index_.overlay_bytes() > most_bytes_) {
      EndOldest(SnapshotFate::End::kTooBig, most_bytes_);
    }
  }

  // First it says so, then the index forgets: whoever finds the index without it is told.
  void EndOldest(SnapshotFate::End end, std::uint64_t limit) {
    const auto oldest = live_.begin();
    oldest->second.fate->limit_ = limit;
    oldest->second.fate->end_.store(end, std::memory_order_release);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    index_.RemoveSnapshot(oldest->first);
    live_.erase(oldest);
  }

  Index& index_;
  mutable std::mutex mutex_;
  SnapshotId last_id_ = 0;
  std::map<SnapshotId, Live> live_;
  std::shared_ptr<const Clock> clock_;
  std::chrono::milliseconds ttl_{0};
  std::uint64_t most_bytes_ = 0;
  std::atomic<std::uint64_t> visible_{0};
  std::uint64_t waiting_ = 0;  // threads in WaitVisible
  std::condition_variable published_;
};

}  // namespace weir::kv
