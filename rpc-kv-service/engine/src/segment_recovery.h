// Reads all keys of one segment and decides what its end is: whole, torn or damaged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "manifest.h"
#include "segment_keys.h"
#include "segment_log.h"
#include "segment_scanner.h"

namespace weir::kv {

struct ReplayedSegment {
  SegmentHeader header;
  SegmentPosition position;    // behind the last good record; only the last segment may have more
  std::uint64_t last_seq = 0;  // the highest of its records
  std::string torn;            // not empty: there is a torn tail, and what it is
};

struct SegmentHead {
  SegmentHeader header;
  std::string bytes;
};
// Checks that `file`, `path` by name, of `file_size` bytes, begins as segment `fid` of the store
// and has the length that its MANIFEST entry `live` says. DATA_LOSS if not.
Result<SegmentHead> ReadSegmentHead(File& file, const std::string& path, std::uint64_t fid,
                                    std::uint64_t file_size, const LiveSegment& live,
                                    const StoreId& store_id);

// Reads segment `fid` from `file`, `path` by name, of `file_size` bytes, whose MANIFEST entry is
// `live`. `last_seq`: the highest seq of the segments before it. DATA_LOSS if it is damaged.
//
// A tail is torn, not damaged, only if the segment is the last one, no intact record lies behind
// the bad place, and the bad place is not before the bytes that a durable mark vouches for.
Result<ReplayedSegment> ReplaySegment(File& file, const std::string& path, std::uint64_t fid,
                                      std::uint64_t file_size, const LiveSegment& live,
                                      const StoreId& store_id, std::uint64_t last_seq,
                                      SegmentKeys& keys);

}  // namespace weir::kv
