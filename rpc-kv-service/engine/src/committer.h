// Turns a group of waiting writes into commits: encodes, appends, syncs if asked, publishes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <span>

#include "group_buffer.h"
#include "segment_log.h"
#include "snapshots.h"
#include "weir/kv/store.h"

namespace weir::kv {

// One write on its way: what is asked, and what became of it. Without operations it asks only for
// a sync of all that came before.
struct WriteRequest {
  const WriteBatch* batch = nullptr;  // null: `single`
  std::optional<WriteBatch::Operation> single;
  Sync sync = Sync::kDefault;

  Status status;
  Commit commit;

  // Of CommitQueue: an asynchronous write owns its batch and has a callback; a blocking one lives
  // on its thread's stack and waits.
  std::uint64_t bytes = 0;
  WriteBatch owned_batch;
  std::optional<WriteCallback> callback;
  bool done = false;
  std::condition_variable wake;

  std::size_t count() const noexcept {
    return batch != nullptr ? batch->count() : (single ? 1 : 0);
  }
  WriteBatch::Operation operation(std::size_t i) const noexcept {
    return batch != nullptr ? (*batch)[i] : *single;
  }
};

// One thread at a time: the leader.
class Committer {
 public:
  Committer(SegmentLog& log, Snapshots& snapshots, SyncPolicy policy, std::uint64_t last_seq)
      : log_(log), snapshots_(snapshots), policy_(policy), last_seq_(last_seq) {}

  // Commits the requests in order and fills in their outcomes.
  void Run(std::span<WriteRequest* const> requests);
  Status SyncNow() { return log_.Sync(); }
  std::uint64_t unsynced() const noexcept { return log_.unsynced(); }
  std::uint64_t commits() const noexcept { return commits_.load(std::memory_order_relaxed); }

 private:
  // Commits a first part of the requests, all in one segment. Returns how many.
  std::size_t RunPart(std::span<WriteRequest* const> requests);
  // Encodes as many as fit into the active segment. Returns how many; if it is none, the first
  // one's status says why.
  std::size_t Gather(std::span<WriteRequest* const> requests);
  void Encode(const WriteRequest& request, std::uint64_t seq);
  bool WantsSync(std::span<WriteRequest* const> requests) const;

  SegmentLog& log_;
  Snapshots& snapshots_;
  const SyncPolicy policy_;
  std::uint64_t last_seq_;
  std::atomic<std::uint64_t> commits_{0};
  GroupBuffer group_;
};

}  // namespace weir::kv
