// Turns waiting writes into commits, in two steps: written to the segment, then made durable (if
// asked) and visible.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "group_buffer.h"
#include "reserve.h"
#include "segment_log.h"
#include "snapshots.h"
#include "write_request.h"

namespace weir::kv {

// Writes that go to the file together.
struct CommitGroup {
  std::vector<WriteRequest*> requests;

  // Of Committer.
  GroupBuffer buffer;
  std::uint64_t first_seq = 0;  // the commit before the group's first
  std::uint64_t last_seq = 0;
  std::uint64_t end = 0;  // of the active segment, behind the group
  bool sync = false;
  Status status;
};

// Write: one thread at a time, the one that leads. Finish: one thread at a time, in the order of
// Write, perhaps while the next Write runs.
class Committer {
 public:
  // Looks at the conditions of a batch, against the newest visible state: OK, or why not.
  using Check = std::function<Status(const WriteBatch&)>;

  Committer(SegmentLog& log, Snapshots& snapshots, SyncPolicy policy, std::uint64_t last_seq,
            Check check, Reserve& reserve)
      : log_(log),
        snapshots_(snapshots),
        policy_(policy),
        check_(std::move(check)),
        reserve_(reserve),
        last_seq_(last_seq) {}

  // Appends as many of the group's requests, from the first on, as go into one segment, and leaves
  // these in the group; the others are in `rest`. `drain` returns when all groups before are
  // finished. Requests that are refused have a status that is not OK.
  void Write(CommitGroup& group, const std::function<void()>& drain,
             std::vector<WriteRequest*>& rest);
  // Syncs, if the group needs it, makes it visible and fills in the outcomes.
  void Finish(CommitGroup& group);

  // By the leader, after Write; true: time for StartWriting, by any thread.
  bool WantsWriting() { return log_.WantsWriting(); }
  void StartWriting() { log_.StartWriting(); }
  // When no group is between Write and Finish.
  Status SyncNow() { return log_.SyncAll(); }
  std::uint64_t unsynced() const noexcept { return log_.unsynced(); }
  std::uint64_t commits() const noexcept { return commits_.load(std::memory_order_relaxed); }
  std::uint64_t user_bytes() const noexcept { return user_bytes_.load(std::memory_order_relaxed); }

 private:
  // Encodes one more request. False: it has to be the first of another group.
  bool Take(WriteRequest& request, CommitGroup& group, const std::function<void()>& drain);
  // The device is full. Tries again with those requests of the group that only delete.
  void WriteDeletes(CommitGroup& group, const std::function<void()>& drain);
  void Encode(const WriteRequest& request, std::uint64_t seq, GroupBuffer& buffer);
  bool WantsSync(const CommitGroup& group) const;

  SegmentLog& log_;
  Snapshots& snapshots_;
  const SyncPolicy policy_;
  const Check check_;
  Reserve& reserve_;
  std::uint64_t last_seq_;  // appended
  bool marked_ = false;     // the group that is being written begins with a durable mark
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> user_bytes_{0};
};

}  // namespace weir::kv
