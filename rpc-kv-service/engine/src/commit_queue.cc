#include "commit_queue.h"

#include <algorithm>

namespace weir::kv {
namespace {

constexpr std::uint64_t kMaxGroupBytes = 8 << 20;
// What a waiting write costs besides its keys and values.
constexpr std::uint64_t kRequestOverhead = sizeof(WriteRequest);

Status Closed() {
  return FailedPrecondition("the store is closed");
}

}  // namespace

CommitQueue::CommitQueue(Committer& committer, SyncPolicy policy, std::shared_ptr<Clock> clock,
                         std::uint64_t max_pending_bytes)
    : committer_(committer),
      policy_(policy),
      clock_(std::move(clock)),
      max_pending_bytes_(max_pending_bytes),
      writer_([this] { RunWriterThread(); }) {}

CommitQueue::~CommitQueue() {
  Close();
}

bool CommitQueue::HasRoom(std::uint64_t bytes) const noexcept {
  return pending_bytes_ == 0 || pending_bytes_ + bytes <= max_pending_bytes_;
}

void CommitQueue::Submit(WriteRequest& request) {
  request.bytes += kRequestOverhead;
  std::unique_lock lock(mutex_);
  space_.wait(lock, [&] { return closing_ || HasRoom(request.bytes); });
  if (closing_) {
    request.status = Closed();
    return;
  }
  queue_.push_back(&request);
  pending_bytes_ += request.bytes;
  while (!request.done) {
    if (leading_) {
      request.wake.wait(lock);
    } else {
      Lead(lock);
    }
  }
}

bool CommitQueue::SubmitAsync(std::unique_ptr<WriteRequest>& request) {
  request->bytes += kRequestOverhead;
  const std::lock_guard lock(mutex_);
  if (closing_) {
    request->status = Closed();
    return false;
  }
  if (!HasRoom(request->bytes)) {
    request->status =
        ResourceExhausted("too many writes are waiting (" + std::to_string(pending_bytes_) +
                          " bytes): slow down and try again");
    return false;
  }
  pending_bytes_ += request->bytes;
  queue_.push_back(request.release());
  if (!leading_) work_.notify_one();
  return true;
}

void CommitQueue::Lead(std::unique_lock<std::mutex>& lock) {
  leading_ = true;
  group_.clear();
  std::uint64_t bytes = 0;
  while (!queue_.empty() && (group_.empty() || bytes + queue_.front()->bytes <= kMaxGroupBytes)) {
    bytes += queue_.front()->bytes;
    group_.push_back(queue_.front());
    queue_.pop_front();
  }
  const bool had_sync_due = sync_due_.has_value();
  lock.unlock();
  committer_.Run(group_);
  SyncIfDue();
  FinishAsync();
  lock.lock();
  for (WriteRequest* request : group_) {
    request->done = true;
    request->wake.notify_one();
  }
  group_.clear();
  pending_bytes_ -= bytes;
  leading_ = false;
  space_.notify_all();
  if (sync_due_ && !had_sync_due) work_.notify_one();
  HandOver();
}

void CommitQueue::SyncIfDue() {
  if (policy_.mode != SyncMode::kInterval) return;
  if (committer_.unsynced() == 0) {
    sync_due_.reset();
    return;
  }
  const auto now = clock_->Now();
  if (!sync_due_) {
    sync_due_ = now + policy_.interval;
  } else if (now >= *sync_due_) {
    // A failure fences the log, which refuses all writes from then on and says why.
    (void)committer_.SyncNow();
    sync_due_.reset();
  }
}

// Completes the asynchronous requests of the group; the blocking ones stay in it.
void CommitQueue::FinishAsync() {
  std::erase_if(group_, [](WriteRequest* request) {
    if (!request->callback) return false;
    const std::unique_ptr<WriteRequest> owned(request);
    (*owned->callback)(owned->status, owned->commit);
    return true;
  });
}

// Wakes who should lead next. mutex_ held, nobody leading.
void CommitQueue::HandOver() {
  if (!queue_.empty() && !queue_.front()->callback) {
    queue_.front()->wake.notify_one();
  } else if (!queue_.empty() || closing_) {
    work_.notify_one();
  }
}

void CommitQueue::RunWriterThread() {
  constexpr std::chrono::milliseconds kRetry{1};
  std::unique_lock lock(mutex_);
  while (true) {
    if (!leading_ && !queue_.empty()) {
      Lead(lock);
      continue;
    }
    if (!leading_ && closing_) return;
    // sync_due_ belongs to the leader; without one this thread looks at it, else it looks later.
    if (policy_.mode != SyncMode::kInterval) {
      work_.wait(lock);
    } else if (leading_) {
      clock_->WaitUntil(lock, work_, clock_->Now() + kRetry);
    } else if (!sync_due_) {
      work_.wait(lock);
    } else if (clock_->Now() < *sync_due_) {
      clock_->WaitUntil(lock, work_, *sync_due_);
    } else {
      Lead(lock);  // an empty group: only the sync
    }
  }
}

void CommitQueue::Close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    space_.notify_all();
    work_.notify_one();
  }
  if (writer_.joinable()) writer_.join();
}

std::uint64_t CommitQueue::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_bytes_;
}

}  // namespace weir::kv
