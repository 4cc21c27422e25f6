// MANIFEST as a file of a directory: making it, reading it at the start, making it small again.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "data_directory.h"
#include "manifest.h"

namespace weir::kv {

// A MANIFEST that has been read.
struct ReadManifest {
  ManifestState state;
  std::unique_ptr<File> file;
  std::uint64_t length = 0;     // up to here all is well
  std::uint64_t file_size = 0;  // more than `length`: the last append is torn
  std::uint64_t directory_inode = 0;
  std::uint64_t manifest_inode = 0;

  // True: this is a copy of the directory that the store was made in.
  bool is_copy() const noexcept {
    return directory_inode != state.directory_inode || manifest_inode != state.manifest_inode;
  }
};

// Writes the MANIFEST of a new, empty store.
Status CreateManifest(DataDirectory& directory);

// DATA_LOSS if it cannot be used. Changes nothing but, unless `read_only`, to sync what is there.
Result<ReadManifest> OpenManifest(DataDirectory& directory, bool read_only);

// Makes a copy of the directory the store.
Status AdoptCopy(DataDirectory& directory, ReadManifest& manifest);

// Writes the state anew, without its history, if the file has become large compared to it. Keeps
// the dropped ids that are in `keep_dropped`. The directory must be durable as it is. After a
// failure either file may be the MANIFEST at the next open, which both may well be.
Status CompactManifest(DataDirectory& directory, ReadManifest& manifest,
                       const std::set<std::uint64_t>& keep_dropped);

}  // namespace weir::kv
