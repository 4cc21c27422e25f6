// MANIFEST: which segments make up the store. An append-only file of edits; appending a frame of
// edits and syncing it is the only commit point of creating and closing segments.
//
//   header:  magic 8 "weirmft\0" | version 4 | crc32c of the first 12 bytes 4
//   frame:   | crc32c 4 | size of edits 4 | edits |      the CRC starts from the frame's offset
//   edits:   1 identity: store id 16, inode of the directory 8, inode of MANIFEST 8
//            2 next_fid: 8             ids below it may be in use and are never given out again
//            3 add:      fid 8, kind 1
//            4 seal:     fid 8, length 8, crc 4
//            5 drop:     fid 8         its file is removed; the id is never used again
//            6 time_floor: ms 8        no key that had expired by then ever comes back
//            7 change_floor: seq 8     the change feed knows all commits from this one on
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "segment_header.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

inline constexpr std::uint32_t kManifestVersion = 1;

// No MANIFEST is larger: one that says so is damaged.
inline constexpr std::uint64_t kMaxManifestSize = 1 << 30;

struct LiveSegment {
  SegmentKind kind = SegmentKind::kLog;
  bool sealed = false;       // false: the last one, still written to
  std::uint64_t length = 0;  // once sealed
  std::uint32_t crc = 0;     // once sealed

  SegmentEnd end() const noexcept { return sealed ? SegmentEnd::kSealed : SegmentEnd::kOpen; }
};

// What all edits together say.
struct ManifestState {
  StoreId store_id{};
  std::uint64_t directory_inode = 0;
  std::uint64_t manifest_inode = 0;
  std::uint64_t next_fid = 1;
  std::map<std::uint64_t, LiveSegment> segments;
  std::set<std::uint64_t> dropped;
  std::uint64_t time_floor_ms = 0;
  std::uint64_t change_floor = 1;
};

// The edits of one frame, in order.
class ManifestEdit {
 public:
  ManifestEdit& Identity(const StoreId& id, std::uint64_t directory_inode,
                         std::uint64_t manifest_inode);
  ManifestEdit& NextFid(std::uint64_t next_fid);
  ManifestEdit& Add(std::uint64_t fid, SegmentKind kind);
  ManifestEdit& Seal(std::uint64_t fid, std::uint64_t length, std::uint32_t crc);
  ManifestEdit& Drop(std::uint64_t fid);
  ManifestEdit& TimeFloor(std::uint64_t ms);
  ManifestEdit& ChangeFloor(std::uint64_t seq);
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

std::string EncodeManifestHeader();
// The frame as it stands at `offset`.
std::string EncodeManifestFrame(std::uint64_t offset, const ManifestEdit& edit);

// A whole MANIFEST that says the same as all edits together.
std::string EncodeManifest(const ManifestState& state);

// The outcome of reading a MANIFEST.
struct ParsedManifest {
  ManifestState state;
  std::uint64_t length = 0;  // up to here all is well; what follows is the torn last append
  std::string error;         // not empty: cannot be used, and why ("at offset 90 ...")
};
ParsedManifest ParseManifest(std::string_view bytes);

// The MANIFEST of an open store: appends to it and gives out ids of segments. Thread-safe.
class Manifest {
 public:
  Manifest(std::unique_ptr<File> file, std::uint64_t length, std::uint64_t next_fid)
      : file_(std::move(file)), length_(length), next_fid_(next_fid), reserved_below_(next_fid) {}

  // Appends and syncs one frame. After a failure either nothing was appended, or broken() is true,
  // the frame may or may not be found at the next open, and nothing can be appended any more.
  Status Append(ManifestEdit edit);
  // An id that no segment ever had; durably given out before this returns.
  Result<std::uint64_t> AllocateFid();
  bool broken() const;

 private:
  Status AppendLocked(const ManifestEdit& edit);

  mutable std::mutex mutex_;
  const std::unique_ptr<File> file_;
  std::uint64_t length_;
  std::uint64_t next_fid_;        // the next to be given out
  std::uint64_t reserved_below_;  // as MANIFEST says
  bool broken_ = false;
};

}  // namespace weir::kv
