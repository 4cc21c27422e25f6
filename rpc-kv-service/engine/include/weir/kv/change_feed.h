// The change feed: every commit from a number on, in order, whole, for what must follow a store: a
// replica, a search index, a cache.
//
//   auto feed = store->Changes(next);               // next: 1, or where the follower has stopped
//   while (feed.ok()) {
//     for (; (*feed)->Valid(); (*feed)->Next()) Apply((*feed)->seq(), (*feed)->operations());
//     if (!(*feed)->status().ok()) break;           // OUT_OF_RANGE: start over from a checkpoint
//     (void)store->WaitForCommit((*feed)->next_seq(), std::chrono::seconds(1));
//     (*feed)->Next();
//   }
#pragma once

#include <cstdint>
#include <span>

#include "weir/kv/write_batch.h"
#include "weir/status.h"

namespace weir::kv {

// Gives each commit from its first number on exactly once, in the order of their numbers, without a
// gap, each with all its operations in their order; only commits that are visible, so under
// SyncMode::kAlways only durable ones. In the other modes a crash of the machine may take back the
// newest commits, given or not.
//
// One thread at a time; beside any other calls of the store. Must be destroyed before the store.
class ChangeFeed {
 public:
  virtual ~ChangeFeed() = default;
  // True while there is a commit. False: there is none yet (status() is OK; Next() looks again), or
  // the feed has ended (status() says why).
  virtual bool Valid() const = 0;
  // Goes to the next commit.
  virtual void Next() = 0;
  // Only when Valid(): the commit's number.
  virtual std::uint64_t seq() const = 0;
  // Only when Valid(); until Next(). Deleted keys may have been absent before.
  virtual std::span<const WriteBatch::Operation> operations() const = 0;
  // The number of the next commit that this feed gives: where another one would go on.
  virtual std::uint64_t next_seq() const = 0;
  // Not OK: the feed has ended. OUT_OF_RANGE: a merge has rewritten commits that it had still to
  // give; the message names the first one that can be had. DATA_LOSS names file and offset.
  virtual const Status& status() const = 0;
};

}  // namespace weir::kv
