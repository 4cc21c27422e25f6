// The last step of a merge: the index names the new records in the place of the old ones. A key
// that was written meanwhile stays as it is (compare and swap), and the index is never locked for
// long.
#pragma once

#include <span>
#include <string>

#include "location.h"
#include "merge_output.h"
#include "segment_table.h"
#include "snapshots.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// Adds the segment `written`, which MANIFEST names, to `segments`, and moves its keys in the index.
// A failure is one of reading it again; then some keys have moved.
Status MoveIndexTo(const MergeOutput::Written& written, Vfs& vfs, SegmentTable& segments,
                   Snapshots& snapshots);

// A key that has expired, and the place of the record that said so.
struct ExpiredKey {
  std::string key;
  Location from;
};
// Removes them from the index, if they are still where they were.
void ForgetExpired(std::span<const ExpiredKey> keys, Snapshots& snapshots);

}  // namespace weir::kv
