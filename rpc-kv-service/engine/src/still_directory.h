// A store's directory that nobody writes to, looked at from outside: nothing in it is changed.
#pragma once

#include <memory>
#include <string>

#include "manifest.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// Keeps writers out while it lives. FAILED_PRECONDITION, naming the holder, if one is in. A
// directory without a LOCK file stays without.
Result<std::unique_ptr<FileLock>> LockStill(Vfs& vfs, const std::string& directory);

struct StillStore {
  ManifestState state;  // closed segments only
  std::uint64_t last_seq = 0;
};
// The store as it would be after an open, all of it in closed segments: for the active one, that is
// its part up to the last whole commit. DATA_LOSS if an open would refuse that segment.
Result<StillStore> SealStill(Vfs& vfs, const std::string& directory);

}  // namespace weir::kv
