// Where writes wait for their turn, and who commits them.
//
// Whoever finds nobody leading becomes the leader: it takes what waits as one group, writes it,
// hands the lead to one of those who came meanwhile, and finishes the group (sync, publish). So a
// large group is written while the one before it is synced; small ones wait for the end of the sync
// instead, because more writers join them. A blocking write leads on its own thread (no hand-off
// when there is one writer); asynchronous writes are led by the queue's writer thread, which also
// syncs by interval, and lets the device begin to write what has been appended.
//
// Blocking writers come back at about the same time, because one group has let them go. So a leader
// waits a moment for as many as there were in the last groups: one sync for all, not for half.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
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
  bool SubmitAsync(std::unique_ptr<AsyncWriteRequest>& request);

  // Refuses what comes, finishes what waits, ends the thread.
  void Close();
  std::uint64_t pending_bytes() const noexcept { return pending_bytes_.load(); }

 private:
  // Room for waiting requests.
  bool TakeRoom(std::uint64_t bytes) noexcept;
  bool WaitForRoom(std::uint64_t bytes);
  void GiveRoom(std::uint64_t bytes);

  // Who leads.
  bool TryLead() noexcept { return !leading_.load() && !leading_.exchange(true); }
  void Push(WriteRequest& request) noexcept;
  void AwaitTurn(WriteRequest& request);
  void HandOver();
  void WakeWriterThread();

  // What the leader does. `own`: the leader's request, if it is not in the queue.
  void Lead(WriteRequest* own);
  void AwaitCompany(bool has_own) const;
  void TakeQueue();
  void FillGroup(CommitGroup& group);
  void AwaitFinished(std::uint64_t groups) const;
  void Complete(std::span<WriteRequest* const> requests);
  void NoteUnsynced();

  void RunWriterThread();
  void SyncByInterval();

  Committer& committer_;
  const SyncPolicy policy_;
  const std::shared_ptr<Clock> clock_;
  const std::uint64_t max_pending_bytes_;

  // What all writers change lies together, and apart from what the leader alone does.
  alignas(64) std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> pending_bytes_{0};
  std::atomic<std::uint32_t> room_waiters_{0};

  std::atomic<WriteRequest*> newest_{nullptr};  // pushed and not yet in backlog_
  std::atomic<std::uint32_t> waiting_{0};       // blocking requests in newest_ and backlog_
  std::atomic<bool> leading_{false};

  // Of the leader.
  alignas(64) std::deque<WriteRequest*> backlog_;  // oldest first
  std::uint64_t backlog_bytes_ = 0;
  std::vector<WriteRequest*> rest_;
  std::uint32_t expected_ = 1;  // blocking writers that will probably come
  std::uint64_t written_groups_ = 0;
  std::array<CommitGroup, 2> groups_;

  alignas(64) std::atomic<std::uint64_t> finished_groups_{0};
  std::atomic<std::int64_t> sync_ns_{0};  // how long finishing a synced group took, lately

  std::mutex mutex_;
  std::condition_variable work_;   // wakes the writer thread
  std::condition_variable space_;  // wakes blocking writers that wait for room
  bool writer_leads_ = false;      // mutex_ held: the lead was handed to the writer thread
  bool start_writing_ = false;     // mutex_ held: the device is to begin
  std::optional<Clock::TimePoint> sync_due_;  // mutex_ held

  std::thread writer_;
};

}  // namespace weir::kv
