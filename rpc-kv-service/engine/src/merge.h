// Merging: rewrites closed segments without the records that nobody can see any more.
//
// One merge: the inputs' runs are gone through together in the order of keys; a put is copied if
// the index names exactly that place; the new segments are made durable; one frame of MANIFEST puts
// them in the place of the inputs; then the index is moved from the old places to the new ones,
// where it still names the old ones; at last the inputs are dropped, to be removed when the last
// reader has left. A crash before the frame leaves files that MANIFEST does not name, one behind it
// leaves files that MANIFEST says are dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "change_log.h"
#include "data_directory.h"
#include "epoch.h"
#include "index.h"
#include "manifest.h"
#include "segment_table.h"
#include "snapshots.h"
#include "wall_time.h"

namespace weir::kv {

// How long a key must have been expired before its record is given up for good: a clock that was
// ahead by less takes nothing away.
inline constexpr std::uint64_t kExpiryGraceMs = 60'000;

// What merging needs of the store.
struct MergeParts {
  DataDirectory& directory;
  SegmentTable& segments;
  Index& index;
  Epochs& epochs;
  Snapshots& snapshots;
  Manifest& manifest;
  ChangeLog& changes;
  WallTime& time;
  StoreId store_id;
  std::uint64_t segment_size;
  // Makes durable all that is visible when it is called.
  std::function<Status()> flush;
  // After a failed sync: the store takes no more writes.
  std::function<void(const Status&)> fence;
};

struct MergeCounters {
  std::atomic<std::uint64_t> merges{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> merged_bytes{0};   // of segments that were dropped
  std::atomic<std::uint64_t> written_bytes{0};  // to new segments
  std::atomic<std::uint64_t> bad_records{0};
};

// Told how many bytes were just read or written; may wait. False: stop the merge.
using MergePace = std::function<bool(std::uint64_t bytes)>;

// Merges `inputs`, closed segments of the table, each once. One at a time. After a failure all is
// as it was, but for counters: DATA_LOSS, naming file and offset, if a record that is in use is
// damaged (`bad_fid` is its segment's, or 0 if it is not known which); RESOURCE_EXHAUSTED if the
// device has no space; CANCELLED if `pace` says so. Raises the fence if a sync failed.
Status Merge(MergeParts& parts, std::vector<std::shared_ptr<Segment>> inputs, const MergePace& pace,
             MergeCounters& counters, std::uint64_t* bad_fid);

}  // namespace weir::kv
