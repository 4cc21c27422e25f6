// The segments of a repaired store, records in the order of keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crc32c.h"
#include "manifest.h"
#include "new_directory.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// One thread. Takes ids from `manifest` and adds the finished segments to it.
class SalvageWriter {
 public:
  SalvageWriter(Vfs& vfs, NewDirectory& directory, std::uint64_t segment_size,
                ManifestState& manifest)
      : vfs_(vfs), directory_(directory), segment_size_(segment_size), manifest_(manifest) {}

  // Keys ascend. `tag` without the batch bit.
  Status Add(std::uint8_t tag, std::uint64_t seq, std::string_view key, std::string_view value);
  // The segment that is being written is complete: syncs it.
  Status Finish();

 private:
  std::uint64_t end() const noexcept { return written_ + pending_.size(); }
  Status Start();
  Status WriteOut();

  Vfs& vfs_;
  NewDirectory& directory_;
  const std::uint64_t segment_size_;
  ManifestState& manifest_;
  std::unique_ptr<File> file_;
  std::uint64_t fid_ = 0;
  std::uint64_t written_ = 0;
  std::string pending_;
  Crc32c crc_;
};

}  // namespace weir::kv
