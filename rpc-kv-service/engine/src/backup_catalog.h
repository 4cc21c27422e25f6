// The directory of backups: what is in it, and its file formats.
//
//   LOCK                                     flock: exclusive while it is changed
//   000012-00000000045f0000-1a2b3c4d.data    closed segments: fid, length, segment CRC
//   000003.backup                            generations: what the store was
//   *.partial                                unfinished
//
// generation: magic 8 "weirbkp\0" | version 4 | zero 4 | number 8 | time (ms) 8 | last seq 8
//             | size of MANIFEST 8 | MANIFEST | crc32c of all before it 4
//
// The MANIFEST is that of the store, with closed segments only and without inodes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "manifest.h"
#include "weir/kv/backup.h"

namespace weir::kv {

// What a generation file says.
struct GenerationFile {
  std::uint64_t number = 0;
  std::uint64_t time_ms = 0;
  std::uint64_t last_seq = 0;
  ManifestState manifest;
};

std::string EncodeGeneration(const GenerationFile& generation);
// The error says what is wrong; empty: nothing.
struct DecodedGeneration {
  GenerationFile generation;
  std::string error;
};
DecodedGeneration DecodeGeneration(std::string_view bytes);
BackupGeneration Describe(const GenerationFile& generation);

// The name under which a backup keeps a segment. Names with the same length and CRC are the same
// segment, also of stores that were restored and went on in different ways.
std::string BackupSegmentName(std::uint64_t fid, const LiveSegment& live);
bool IsBackupSegmentName(std::string_view name);

// A locked backup directory. One thread.
class BackupCatalog {
 public:
  // For changing it: makes it if it is absent. FAILED_PRECONDITION if it holds other things or
  // somebody else is at it.
  static Result<std::unique_ptr<BackupCatalog>> OpenToChange(Vfs& vfs, const std::string& path);
  // For reading; many may. NOT_FOUND if there is no backup.
  static Result<std::unique_ptr<BackupCatalog>> OpenToRead(Vfs& vfs, const std::string& path);

  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const noexcept { return path_; }
  Vfs& vfs() noexcept { return vfs_; }

  // Numbers of the generations, ascending.
  const std::set<std::uint64_t>& generations() const noexcept { return generations_; }
  // Names of complete segments.
  const std::set<std::string, std::less<>>& segments() const noexcept { return segments_; }
  const std::vector<std::string>& partial() const noexcept { return partial_; }
  // `number` 0: the newest. NOT_FOUND, DATA_LOSS.
  Result<GenerationFile> Read(std::uint64_t number) const;

  // Adds a file that is complete under its partial name, see PartialName.
  Status Rename(const std::string& name);
  static std::string PartialName(const std::string& name) { return name + ".partial"; }
  static std::string GenerationName(std::uint64_t number);
  Status Sync() { return vfs_.SyncDirectory(path_); }

 private:
  BackupCatalog(Vfs& vfs, std::string path) : vfs_(vfs), path_(std::move(path)) {}
  Status Lock(std::string_view holder, LockMode mode);
  Status ReadNames();

  Vfs& vfs_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  std::set<std::uint64_t> generations_;
  std::set<std::string, std::less<>> segments_;
  std::vector<std::string> partial_;
};

}  // namespace weir::kv
