// Where writes wait for their turn, and who commits them.
//
// Whoever finds nobody leading becomes the leader: it takes all that waits as one group, commits it
// and hands over. A blocking write leads on its own thread (no hand-off when there is one writer);
// asynchronous writes are led by the queue's writer thread, which also syncs by interval.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "committer.h"
#include "weir/kv/clock.h"

namespace weir::kv {

// Thread-safe, but for Close.
class CommitQueue {
 public:
  CommitQueue(Committer& committer, SyncPolicy policy, std::shared_ptr<Clock> clock,
              std::uint64_t max_pending_bytes);
  ~CommitQueue();  // closes

  // Waits for room, then for the outcome, which is in request.status and request.commit.
  void Submit(WriteRequest& request);
  // Does not wait. False, and the request is back with the caller, status filled in, if there is
  // no room or the queue is closed.
  bool SubmitAsync(std::unique_ptr<WriteRequest>& request);

  // Refuses what comes, finishes what waits, ends the thread.
  void Close();
  std::uint64_t pending_bytes() const;

 private:
  bool HasRoom(std::uint64_t bytes) const noexcept;
  void Lead(std::unique_lock<std::mutex>& lock);
  void SyncIfDue();
  void FinishAsync();
  void HandOver();
  void RunWriterThread();

  Committer& committer_;
  const SyncPolicy policy_;
  const std::shared_ptr<Clock> clock_;
  const std::uint64_t max_pending_bytes_;

  mutable std::mutex mutex_;
  std::condition_variable work_;   // wakes the writer thread
  std::condition_variable space_;  // wakes blocking writers that wait for room
  std::deque<WriteRequest*> queue_;
  std::uint64_t pending_bytes_ = 0;
  bool leading_ = false;
  bool closing_ = false;

  // Of the leader, or under mutex_ when nobody leads.
  std::vector<WriteRequest*> group_;
  std::optional<Clock::TimePoint> sync_due_;

  std::thread writer_;
};

}  // namespace weir::kv
