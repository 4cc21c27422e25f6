// Copies of closed segments, which are checked, so that damage is not copied with them.
#pragma once

#include <string>

#include "manifest.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// Reads the first live.length bytes of the segment at `path`: every record, and that they are what
// MANIFEST has sealed as `fid`. DATA_LOSS names file and offset.
Status CheckSealedSegment(Vfs& vfs, const std::string& path, const StoreId& store_id,
                          std::uint64_t fid, const LiveSegment& live);

// Copies these bytes to `to`, which must not exist, syncs them, and checks what the device then
// holds. After a failure `to` may be there.
Status CopySealedSegment(Vfs& vfs, const std::string& from, const std::string& to,
                         const StoreId& store_id, std::uint64_t fid, const LiveSegment& live);

}  // namespace weir::kv
