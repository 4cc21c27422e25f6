#include "commit_queue.h"

#include <algorithm>
#include <chrono>

namespace weir::kv {
namespace {

constexpr std::uint64_t kMaxGroupBytes = 8 << 20;
// What a waiting write costs besides its keys and values.
constexpr std::uint64_t kRequestOverhead = sizeof(WriteRequest);
// With more than this waiting, writing takes long enough to be done beside a sync.
constexpr std::uint64_t kWriteAhead = 256 << 10;
// How long to wait for others: far less than what a group of one costs more.
constexpr std::int64_t kCompanyNs = 400;
constexpr std::int64_t kMaxCompanyNs = 100'000;
// How often to look for the own turn before sleeping; a write without a sync takes about as long.
constexpr int kSpins = 300;

Status Closed() {
  return FailedPrecondition("the store is closed");
}

void Relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

std::int64_t NowNs() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
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

bool CommitQueue::TakeRoom(std::uint64_t bytes) noexcept {
  const std::uint64_t before = pending_bytes_.fetch_add(bytes);
  if (before == 0 || before + bytes <= max_pending_bytes_) return true;
  pending_bytes_.fetch_sub(bytes);
  return false;
}

bool CommitQueue::WaitForRoom(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  room_waiters_.fetch_add(1);
  space_.wait(lock, [&] { return closing_.load() || TakeRoom(bytes); });
  room_waiters_.fetch_sub(1);
  return !closing_.load();
}

void CommitQueue::GiveRoom(std::uint64_t bytes) {
  pending_bytes_.fetch_sub(bytes);
  if (room_waiters_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  space_.notify_all();
}

void CommitQueue::Push(WriteRequest& request) noexcept {
  if (!request.asynchronous) waiting_.fetch_add(1, std::memory_order_relaxed);
  request.older = newest_.load(std::memory_order_relaxed);
  while (!newest_.compare_exchange_weak(request.older, &request)) {
  }
}

void CommitQueue::Submit(WriteRequest& request) {
  if (closing_.load(std::memory_order_relaxed)) {
    request.status = Closed();
    return;
  }
  if (TryLead()) {
    // Needs no room: it is written now, or next.
    Lead(&request);
    if (request.state.load(std::memory_order_acquire) == WriteRequest::kDone) return;
  } else {
    const std::uint64_t room = request.bytes + kRequestOverhead;
    if (!TakeRoom(room) && !WaitForRoom(room)) {
      request.status = Closed();
      return;
    }
    request.room = room;
    Push(request);
    // The leader may have left before it could see the request.
    if (TryLead()) Lead(nullptr);
  }
  AwaitTurn(request);
}

void CommitQueue::AwaitTurn(WriteRequest& request) {
  while (true) {
    std::uint32_t state = request.state.load(std::memory_order_acquire);
    for (int i = 0; state == WriteRequest::kWaiting && i < kSpins; ++i) {
      Relax();
      state = request.state.load(std::memory_order_acquire);
    }
    if (state == WriteRequest::kDone) return;
    if (state == WriteRequest::kWaiting) {
      request.state.wait(WriteRequest::kWaiting, std::memory_order_acquire);
      continue;
    }
    request.state.store(WriteRequest::kWaiting, std::memory_order_relaxed);
    Lead(nullptr);
  }
}

bool CommitQueue::SubmitAsync(std::unique_ptr<AsyncWriteRequest>& request) {
  const std::uint64_t room = request->bytes + kRequestOverhead;
  if (closing_.load(std::memory_order_relaxed)) {
    request->status = Closed();
    return false;
  }
  if (!TakeRoom(room)) {
    request->status =
        ResourceExhausted("too many writes are waiting (" + std::to_string(pending_bytes()) +
                          " bytes): slow down and try again");
    return false;
  }
  request->room = room;
  Push(*request.release());
  if (TryLead()) WakeWriterThread();
  return true;
}

void CommitQueue::WakeWriterThread() {
  const std::lock_guard lock(mutex_);
  writer_leads_ = true;
  work_.notify_one();
}

void CommitQueue::TakeQueue() {
  if (newest_.load(std::memory_order_relaxed) == nullptr) return;
  WriteRequest* newest = newest_.exchange(nullptr);
  const auto end = static_cast<std::ptrdiff_t>(backlog_.size());
  for (; newest != nullptr; newest = newest->older) {
    backlog_.insert(backlog_.begin() + end, newest);
    backlog_bytes_ += newest->bytes;
  }
}

// Gives the lead to whoever waits longest, or away.
void CommitQueue::HandOver() {
  while (true) {
    TakeQueue();
    if (!backlog_.empty()) {
      WriteRequest& next = *backlog_.front();
      if (next.asynchronous) {
        WakeWriterThread();
      } else {
        next.state.store(WriteRequest::kLead, std::memory_order_release);
        next.state.notify_one();
      }
      return;
    }
    leading_.store(false);
    if (newest_.load() == nullptr || !TryLead()) return;
  }
}

void CommitQueue::AwaitCompany(bool has_own) const {
  if (expected_ <= 1) return;
  const std::int64_t sync_ns = sync_ns_.load(std::memory_order_relaxed);
  const std::int64_t most = sync_ns > 0 ? std::min(sync_ns / 2, kMaxCompanyNs) : kCompanyNs;
  const std::int64_t deadline = NowNs() + most;
  const std::uint32_t own = has_own ? 1 : 0;
  while (waiting_.load(std::memory_order_relaxed) + own < expected_ && NowNs() < deadline) {
    if (sync_ns > 0) {
      std::this_thread::yield();  // to those who are being waited for
    } else {
      Relax();
    }
  }
}

void CommitQueue::AwaitFinished(std::uint64_t groups) const {
  std::uint64_t finished = finished_groups_.load(std::memory_order_acquire);
  for (int i = 0; finished < groups && i < kSpins; ++i) {
    Relax();
    finished = finished_groups_.load(std::memory_order_acquire);
  }
  while (finished < groups) {
    finished_groups_.wait(finished, std::memory_order_acquire);
    finished = finished_groups_.load(std::memory_order_acquire);
  }
}

void CommitQueue::FillGroup(CommitGroup& group) {
  group.requests.clear();
  std::uint64_t bytes = 0;
  while (!backlog_.empty() &&
         (group.requests.empty() || bytes + backlog_.front()->bytes <= kMaxGroupBytes)) {
    bytes += backlog_.front()->bytes;
    group.requests.push_back(backlog_.front());
    backlog_.pop_front();
  }
  backlog_bytes_ -= bytes;
}

void CommitQueue::Lead(WriteRequest* own) {
  const std::uint64_t ticket = written_groups_;
  CommitGroup& group = groups_[ticket % groups_.size()];
  const bool alone = own != nullptr && backlog_.empty() && expected_ <= 1 &&
                     newest_.load(std::memory_order_relaxed) == nullptr &&
                     finished_groups_.load(std::memory_order_acquire) == ticket;
  if (alone) {
    group.requests.assign(1, own);
  } else {
    if (backlog_bytes_ < kWriteAhead) AwaitFinished(ticket);
    if (ticket > 0) AwaitFinished(ticket - 1);  // its group is this one
    AwaitCompany(own != nullptr);
    TakeQueue();
    if (own != nullptr) {
      backlog_.push_back(own);
      backlog_bytes_ += own->bytes;
      if (!own->asynchronous) waiting_.fetch_add(1, std::memory_order_relaxed);
    }
    FillGroup(group);
  }
  committer_.Write(
      group, [this, ticket] { AwaitFinished(ticket); }, rest_);
  if (committer_.WantsWriting()) {
    const std::lock_guard lock(mutex_);
    start_writing_ = true;
    work_.notify_one();
  }
  for (auto request = rest_.rbegin(); request != rest_.rend(); ++request) {
    backlog_.push_front(*request);
    backlog_bytes_ += (*request)->bytes;
  }
  std::uint32_t blocking = 0;
  for (const WriteRequest* request : group.requests) blocking += request->asynchronous ? 0 : 1;
  if (!alone) blocking = waiting_.fetch_sub(blocking, std::memory_order_relaxed);
  expected_ = std::max(blocking, waiting_.load(std::memory_order_relaxed) + 1);
  ++written_groups_;

  if (!group.sync && finished_groups_.load(std::memory_order_acquire) == ticket) {
    committer_.Finish(group);
    if (policy_.mode == SyncMode::kInterval) NoteUnsynced();
    sync_ns_.store(0, std::memory_order_relaxed);
    finished_groups_.store(ticket + 1, std::memory_order_release);
    Complete(group.requests);
    HandOver();
    return;
  }
  HandOver();
  AwaitFinished(ticket);
  const std::int64_t start = NowNs();
  committer_.Finish(group);
  if (group.sync) sync_ns_.store(NowNs() - start, std::memory_order_relaxed);
  // The group's memory is another leader's as soon as it is finished.
  std::vector<WriteRequest*> requests;
  requests.swap(group.requests);
  finished_groups_.store(ticket + 1, std::memory_order_release);
  finished_groups_.notify_all();
  Complete(requests);
}

void CommitQueue::Complete(std::span<WriteRequest* const> requests) {
  std::uint64_t room = 0;
  for (const WriteRequest* request : requests) room += request->room;
  if (room != 0) GiveRoom(room);
  for (WriteRequest* request : requests) {
    if (request->asynchronous) {
      const std::unique_ptr<AsyncWriteRequest> owned(static_cast<AsyncWriteRequest*>(request));
      owned->callback(owned->status, owned->commit);
    } else {
      request->state.store(WriteRequest::kDone, std::memory_order_release);
      request->state.notify_one();
    }
  }
}

void CommitQueue::NoteUnsynced() {
  const std::lock_guard lock(mutex_);
  if (committer_.unsynced() == 0) {
    sync_due_.reset();
  } else if (!sync_due_) {
    sync_due_ = clock_->Now() + policy_.interval;
    work_.notify_one();
  }
}

// The writer thread leads an empty group: only the sync.
void CommitQueue::SyncByInterval() {
  AwaitFinished(written_groups_);
  // A failure fences the log, which refuses all writes from then on and says why.
  (void)committer_.SyncNow();
  {
    const std::lock_guard lock(mutex_);
    sync_due_.reset();
  }
  HandOver();
}

void CommitQueue::RunWriterThread() {
  constexpr std::chrono::milliseconds kRetry{1};
  std::unique_lock lock(mutex_);
  while (true) {
    if (writer_leads_) {
      writer_leads_ = false;
      lock.unlock();
      Lead(nullptr);
      lock.lock();
      continue;
    }
    if (start_writing_) {
      start_writing_ = false;
      lock.unlock();
      committer_.StartWriting();
      lock.lock();
      continue;
    }
    if (closing_.load() && newest_.load() == nullptr && TryLead()) {
      // Nobody leads and nothing waits: all that was accepted is done.
      lock.unlock();
      TakeQueue();
      if (backlog_.empty()) return;
      Lead(nullptr);
      lock.lock();
      continue;
    }
    if (closing_.load()) {
      work_.wait_for(lock, kRetry);
    } else if (!sync_due_) {
      work_.wait(lock);
    } else if (clock_->Now() < *sync_due_) {
      clock_->WaitUntil(lock, work_, *sync_due_);
    } else if (TryLead()) {
      lock.unlock();
      SyncByInterval();
      lock.lock();
    } else {
      clock_->WaitUntil(lock, work_, clock_->Now() + kRetry);
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

}  // namespace weir::kv
