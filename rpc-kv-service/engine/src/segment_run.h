// What a closed segment knows, from its hint or else from the segment itself.
#pragma once

#include <memory>
#include <string>

#include "hint_file.h"
#include "manifest.h"
#include "segment_recovery.h"

namespace weir::kv {

// The hint of segment `fid`, whose MANIFEST entry is `live`. NOT_FOUND: there is none. DATA_LOSS:
// it is damaged or belongs to other contents; the message says so.
Result<std::shared_ptr<const Hint>> OpenHint(Vfs& vfs, const std::string& directory,
                                             const StoreId& store_id, std::uint64_t fid,
                                             const LiveSegment& live);

// What a segment is found to be by reading it: as its hint would say it, and the rest.
struct ScannedSegment {
  ReplayedSegment replayed;
  std::shared_ptr<const Hint> hint;  // in memory
};
// Reads the segment with all its checks; arguments and failures as ReplaySegment.
Result<ScannedSegment> ScanSegment(File& file, const std::string& path, std::uint64_t fid,
                                   std::uint64_t file_size, const LiveSegment& live,
                                   const StoreId& store_id, std::uint64_t last_seq);

// Goes through the newest records of a closed segment in the order of keys: from its hint, or, if
// that is missing or does not fit (which is logged), from reading the segment. The run needs
// nothing of the arguments any more and stays good when the files are removed.
Result<std::unique_ptr<KeyRun>> OpenRun(Vfs& vfs, const std::string& directory,
                                        const StoreId& store_id, const SegmentFacts& facts);

// Reads a closed segment with all its checks and writes its hint. DATA_LOSS if it is damaged.
Status WriteHint(Vfs& vfs, const std::string& directory, const StoreId& store_id,
                 const SegmentFacts& facts, Durability durability = Durability::kLater);

// True if there is a hint of segment `fid`. Those that do not fit are removed at the start.
bool HasHint(Vfs& vfs, const std::string& directory, std::uint64_t fid);

// Writes the hints of all closed segments that have none, on up to `threads` threads, the oldest
// first, until segments of `most_bytes` have been read for that. Failures are logged: a hint is
// only a help.
void WriteMissingHints(Vfs& vfs, const std::string& directory, const StoreId& store_id,
                       const SegmentTable& segments, std::size_t threads, std::uint64_t most_bytes);

}  // namespace weir::kv
