// What a merge writes: new segments with records in the order of keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data_directory.h"
#include "hint_file.h"
#include "location.h"
#include "manifest.h"
#include "record.h"
#include "segment_table.h"

namespace weir::kv {

// One thread. Until MANIFEST names the segments they mean nothing, and Remove takes them away.
class MergeOutput {
 public:
  struct Written {
    SegmentFacts facts;
    std::vector<std::uint64_t> moved_from;  // of each put in order: see PackPlace
  };

  MergeOutput(DataDirectory& directory, Manifest& manifest, const StoreId& store_id,
              std::uint64_t segment_size)
      : directory_(directory),
        manifest_(manifest),
        store_id_(store_id),
        segment_size_(segment_size) {}

  // Appends a copy of an intact record, decoded as `head`, that lies at `from`. Keys ascend.
  Status AddPut(std::string_view record, const RecordHead& head, const Location& from);
  Status AddTombstone(std::string_view key, std::uint64_t seq);
  // Makes all segments and their names durable.
  Status Finish();
  // Removes the files, as far as it can.
  void Remove();

  const std::vector<Written>& written() const noexcept { return written_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  // True: a device has refused to make data durable.
  bool sync_failed() const noexcept { return sync_failed_; }

  // 24 bits of slot, 40 of offset.
  static std::uint64_t PackPlace(const Location& location) noexcept {
    return std::uint64_t{location.slot} << 40 | location.offset;
  }
  static Location UnpackPlace(std::uint64_t place) noexcept {
    return {.slot = static_cast<std::uint32_t>(place >> 40),
            .offset = place & ((std::uint64_t{1} << 40) - 1)};
  }

 private:
  // `rest` begins with the key, which `entry` has, with all but its place.
  Status Add(std::uint8_t tag, RunEntry entry, std::string_view head_behind_tag,
             std::string_view rest);
  Status StartSegment();
  void FinishHint();
  Status FinishSegment();
  Status WriteOut(std::string_view behind);
  Status Sync();

  DataDirectory& directory_;
  Manifest& manifest_;
  const StoreId store_id_;
  const std::uint64_t segment_size_;
  std::vector<Written> written_;
  std::unique_ptr<File> file_;  // of the last of written_, while it grows
  Crc32c crc_;                  // of that segment
  std::string buffer_;          // its last bytes
  std::unique_ptr<HintWriter> hint_;
  std::uint64_t unsynced_ = 0;
  std::uint64_t bytes_ = 0;
  bool sync_failed_ = false;
};

}  // namespace weir::kv
