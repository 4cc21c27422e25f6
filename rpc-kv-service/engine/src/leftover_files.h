// Files that MANIFEST does not name: what crashes leave behind, and what may be lost data.
#pragma once

#include <string>
#include <vector>

#include "data_directory.h"
#include "manifest.h"

namespace weir::kv {

// A file that the store does not need.
struct LeftoverFile {
  std::string name;
  std::string reason;
  bool holds_nothing = true;  // true: to be removed; false: to be moved to quarantine
};

// Looks through the directory; changes nothing. In the order of names. DATA_LOSS if a segment that
// MANIFEST does not name holds commits: then MANIFEST has lost something.
//
// Not so for what a merge was writing when it ended (such a file says what it is, and all it holds
// is still where it was copied from), nor for segments that a merge had already dropped.
Result<std::vector<LeftoverFile>> FindLeftovers(DataDirectory& directory,
                                                const ManifestState& manifest);

// Removes them or sets them aside, durably, and says so.
Status ClearLeftovers(DataDirectory& directory, const std::vector<LeftoverFile>& leftovers);

}  // namespace weir::kv
