// From a directory to a store that can go on: reads MANIFEST, finds out what every segment knows,
// from its hint or by reading it, and only when all of it is found good sets aside what a crash has
// left unfinished.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data_directory.h"
#include "index.h"
#include "manifest.h"
#include "manifest_file.h"
#include "segment_log.h"
#include "segment_table.h"

namespace weir::kv {

struct Recovered {
  ManifestState manifest;
  std::uint64_t manifest_length = 0;
  std::unique_ptr<File> manifest_file;  // read-only if the options are
  SegmentPosition position;             // where the last log segment ends
  std::shared_ptr<File> active;         // that segment, if it is open for writing; else null
  std::uint64_t last_seq = 0;
  std::vector<SegmentFacts> without_hint;  // had to be read: WriteHint saves that the next time
};

// Fills `segments` and `index`. Refuses, changing nothing, if anything is missing or damaged: the
// message names file and offset. With Options::read_only it changes nothing at all.
//
// Runs on Options::open_threads threads. Memory, beside the index: the keys of the segments that
// have no hint, and 48 bytes for each record of those that are being read at the moment, one on
// each thread. Hints are mapped, not copied.
Result<Recovered> Recover(DataDirectory& directory, const Options& options, SegmentTable& segments,
                          Index& index);

}  // namespace weir::kv
