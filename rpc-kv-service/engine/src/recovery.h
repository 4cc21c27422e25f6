// From a directory to a store that can go on: reads MANIFEST, replays every segment, and only when
// all of it is found good sets aside what a crash has left unfinished.
#pragma once

#include <cstdint>
#include <memory>

#include "data_directory.h"
#include "index.h"
#include "manifest.h"
#include "segment_log.h"
#include "segment_table.h"

namespace weir::kv {

struct Recovered {
  ManifestState manifest;
  std::uint64_t manifest_length = 0;
  std::unique_ptr<File> manifest_file;
  SegmentPosition position;      // where the last log segment ends
  std::shared_ptr<File> active;  // that segment, if it is open for writing; else null
  std::uint64_t last_seq = 0;
};

// Writes the MANIFEST of a new, empty store.
Status CreateManifest(DataDirectory& directory);

// Fills `segments` and `index`. Refuses, changing nothing, if anything is missing or damaged: the
// message names file and offset.
Result<Recovered> Recover(DataDirectory& directory, const Options& options, SegmentTable& segments,
                          Index& index);

}  // namespace weir::kv
