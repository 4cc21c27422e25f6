// The closed segments of an open store at one moment, held so that no merge takes their files away.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "manifest.h"
#include "segment_table.h"

namespace weir::kv {

struct SealedSegments {
  std::string directory;       // where they are
  ManifestState manifest;      // names only closed segments
  std::uint64_t last_seq = 0;  // their newest commit
  std::vector<std::shared_ptr<Segment>> held;
};

// All that are closed now; what is in the active segment is not in it. Since merges replace
// segments by one frame of MANIFEST, what MANIFEST names belongs together.
Result<SealedSegments> HoldSealedSegments(Vfs& vfs, const std::string& directory,
                                          const SegmentTable& segments);

// Reads and checks the MANIFEST in `directory`. A torn last frame does not count. DATA_LOSS names
// what is wrong.
Result<ManifestState> ReadManifestState(Vfs& vfs, const std::string& directory);

}  // namespace weir::kv
