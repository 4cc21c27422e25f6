// MANIFEST: which segments make up the store. An append-only file of edits; appending a frame of
// edits and syncing it is the only commit point of creating and closing segments.
//
//   header:  magic 8 "weirmft\0" | version 4 | crc32c of the first 12 bytes 4
//   frame:   | crc32c 4 | size of edits 4 | edits |      the CRC starts from the frame's offset
//   edits:   1 identity: store id 16, inode of the directory 8, inode of MANIFEST 8
//            2 next_fid: 8             ids below it may be in use and are never given out again
//            3 add:      fid 8, kind 1
//            4 seal:     fid 8, length 8, crc 4
//            5 drop and 6 time floor are kept for merge and expiry
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "segment_header.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

inline constexpr std::uint32_t kManifestVersion = 1;

struct LiveSegment {
  SegmentKind kind = SegmentKind::kLog;
  bool sealed = false;       // false: the last one, still written to
  std::uint64_t length = 0;  // once sealed
  std::uint32_t crc = 0;     // once sealed
};

// What all edits together say.
struct ManifestState {
  StoreId store_id{};
  std::uint64_t directory_inode = 0;
  std::uint64_t manifest_inode = 0;
  std::uint64_t next_fid = 1;
  std::map<std::uint64_t, LiveSegment> segments;
};

// The edits of one frame, in order.
class ManifestEdit {
 public:
  ManifestEdit& Identity(const StoreId& id, std::uint64_t directory_inode,
                         std::uint64_t manifest_inode);
  ManifestEdit& NextFid(std::uint64_t next_fid);
  ManifestEdit& Add(std::uint64_t fid, SegmentKind kind);
  ManifestEdit& Seal(std::uint64_t fid, std::uint64_t length, std::uint32_t crc);
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

std::string EncodeManifestHeader();
// The frame as it stands at `offset`.
std::string EncodeManifestFrame(std::uint64_t offset, const ManifestEdit& edit);

// The outcome of reading a MANIFEST.
struct ParsedManifest {
  ManifestState state;
  std::uint64_t length = 0;  // up to here all is well; what follows is the torn last append
  std::string error;         // not empty: cannot be used, and why ("at offset 90 ...")
};
ParsedManifest ParseManifest(std::string_view bytes);

// Appends to an existing MANIFEST. One thread at a time.
class ManifestWriter {
 public:
  ManifestWriter(std::unique_ptr<File> file, std::uint64_t length)
      : file_(std::move(file)), length_(length) {}

  // Appends and syncs one frame. After a failure either nothing was appended, or broken() is true
  // and the frame may or may not be found at the next open.
  Status Append(const ManifestEdit& edit);
  bool broken() const noexcept { return broken_; }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t length_;
  bool broken_ = false;
};

}  // namespace weir::kv
