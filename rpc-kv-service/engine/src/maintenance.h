// What a store does by itself, in the background: merging, hints of closed segments, removing what
// nobody reads any more, scrubbing, keeping space in reserve.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "hint_schedule.h"
#include "merge.h"
#include "merge_choice.h"
#include "merge_throttle.h"
#include "read_latency.h"
#include "reserve.h"
#include "scrub.h"
#include "weir/kv/store.h"

namespace weir::kv {

// What maintenance needs of the store besides what merging does.
struct MaintenanceParts {
  MergeParts merge;
  const Options& options;
  Reserve& reserve;
  ReadLatency& reads;
  std::function<std::uint64_t()> active_bytes;  // written to the active segment
  // Closes the active segment, if it has records.
  std::function<Status()> seal_active;
};

// Has one thread, which sleeps while there is nothing to do. Public calls: any threads.
class Maintenance {
 public:
  explicit Maintenance(MaintenanceParts parts);
  ~Maintenance();  // stops

  void Start();
  // Ends the thread, and a merge with it. No merge begins any more.
  void Stop();
  // Something has happened that there may be work about. Cheap.
  void Wake();

  Status MergeNow(const MergeOptions& options);
  Status Verify(const VerifyProgress& progress);

  const MergeCounters& merges() const noexcept { return merge_counters_; }
  const ScrubCounters& scrubs() const noexcept { return scrub_counters_; }

 private:
  using Segments = std::vector<std::shared_ptr<Segment>>;
  using TimePoint = Clock::TimePoint;

  void Run();
  void Look();
  // Automatic merges, until there is nothing worth it. merge_mutex_ is taken.
  void MergeWhileWorthIt();
  Segments Choose(StoreUse& use);
  bool SealForGarbage(const StoreUse& use);
  void NoteFailure(const Status& status, const Segments& inputs, std::uint64_t bad_fid);
  std::vector<MergeCandidate> Candidates(StoreUse& use) const;
  std::uint64_t Room() const;
  Segments Find(const std::vector<std::uint64_t>& fids) const;
  void Reclaim();
  bool ReclaimAll();

  // Waits until then. False: the store is being closed. `urgent` may end it early.
  bool Sleep(TimePoint until, const std::function<bool()>& urgent);
  bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  TimePoint Now() const { return parts_.options.clock->Now(); }

  MaintenanceParts parts_;
  MergeCounters merge_counters_;
  ScrubCounters scrub_counters_;

  std::mutex merge_mutex_;                // who merges
  std::atomic<int> waiting_merges_{0};    // MergeNow calls that wait for it
  std::set<std::uint64_t> merged_whole_;  // merge_mutex_: what the last full merge has left

  // Of the thread.
  MergeThrottle throttle_;
  std::uint64_t looked_at_seq_ = ~std::uint64_t{0};
  HintSchedule hints_;
  std::set<std::uint64_t> bad_;  // segments that automatic merges leave alone
  std::uint32_t failures_ = 0;   // of automatic merges in a row
  TimePoint next_try_{};
  BackgroundScrub scrub_;

  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  std::thread thread_;
};

}  // namespace weir::kv
