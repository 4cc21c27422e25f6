// The log segments as a history of commits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "segment_table.h"
#include "snapshots.h"
#include "weir/kv/change_feed.h"

namespace weir::kv {

// Which commits can still be read one by one, and feeds of them. Merges rewrite log segments in the
// order of keys, so what they have rewritten is no history any more. Thread-safe.
class ChangeLog {
 public:
  ChangeLog(Vfs& vfs, const SegmentTable& segments, const Snapshots& snapshots)
      : vfs_(vfs), segments_(segments), snapshots_(snapshots) {}

  // The first commit of which, and of all behind it, the segment is there.
  std::uint64_t first() const noexcept { return first_.load(std::memory_order_acquire); }
  // A merge is about to drop log segments with commits up to `first` - 1. After MANIFEST has the
  // change_floor, before SegmentTable::Drop: who has listed the segments and then finds an older
  // first() has all that it needs.
  void RaiseFirst(std::uint64_t first) noexcept {
    if (first > this->first()) first_.store(first, std::memory_order_release);
  }

  // A feed from commit `from` on. OUT_OF_RANGE if that is no longer there, or is beyond the next
  // commit to come.
  Result<std::unique_ptr<ChangeFeed>> Read(std::uint64_t from) const;

 private:
  Vfs& vfs_;
  const SegmentTable& segments_;
  const Snapshots& snapshots_;
  std::atomic<std::uint64_t> first_{1};
};

}  // namespace weir::kv
