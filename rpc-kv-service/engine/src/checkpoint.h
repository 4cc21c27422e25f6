// A checkpoint: the closed segments of a store under other names, and a MANIFEST that names them.
#pragma once

#include <string>

#include "sealed_segments.h"

namespace weir::kv {

// Makes `directory`, which must be absent or empty, a copy of the store as it is in `sealed`. Files
// are linked; where that is not possible (another file system), they are copied and checked.
Status WriteCheckpoint(Vfs& vfs, const SealedSegments& sealed, const std::string& directory);

}  // namespace weir::kv
