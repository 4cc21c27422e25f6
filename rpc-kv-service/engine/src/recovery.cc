#include "recovery.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "index_loading.h"
#include "segment_run.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

constexpr std::uint64_t kMaxManifestSize = 1 << 30;

StoreId NewStoreId() {
  StoreId id;
  std::random_device random;
  for (std::size_t i = 0; i < id.size(); i += sizeof(std::uint32_t)) {
    const std::uint32_t word = random();
    std::memcpy(id.data() + i, &word, sizeof word);
  }
  return id;
}

// One recovery, while it runs.
class Recovery {
 public:
  Recovery(DataDirectory& directory, const Options& options, SegmentTable& segments, Index& index)
      : directory_(directory), options_(options), segments_(segments), index_(index) {}

  Result<Recovered> Run();

 private:
  Status ReadManifest();
  Status CheckIdentity();
  Status FindUnlisted();
  Status IsLeftover(const std::string& name, std::uint64_t fid);
  Status ReplayAll();
  Status Replay(std::uint64_t fid, const LiveSegment& live);
  Status CheckChain(const std::string& path, const SegmentHeader& header) const;
  bool IsFirstLog(std::uint64_t fid) const;
  Status SetAside();
  Status Adopt();

  DataDirectory& directory_;
  const Options& options_;
  SegmentTable& segments_;
  Index& index_;
  std::vector<SegmentToLoad> loads_;
  Recovered result_;
  std::uint64_t manifest_size_ = 0;
  bool is_copy_ = false;
  std::uint64_t directory_inode_ = 0;
  std::uint64_t manifest_inode_ = 0;
  std::vector<std::string> leftovers_;
  std::uint64_t active_size_ = 0;
  std::string active_torn_;
};

Result<Recovered> Recovery::Run() {
  for (const auto step :
       {&Recovery::ReadManifest, &Recovery::CheckIdentity, &Recovery::FindUnlisted,
        &Recovery::ReplayAll, &Recovery::SetAside, &Recovery::Adopt}) {
    if (Status status = (this->*step)(); !status.ok()) return status;
  }
  return std::move(result_);
}

Status Recovery::ReadManifest() {
  const std::string path = directory_.PathOf(kManifestName);
  auto file = directory_.vfs().Open(path, OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  // The last run may have been killed before it had synced what it did. What this run builds upon
  // must be on disk first, and must be what the disk holds.
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  (*file)->DropCache();
  if (Status status = directory_.Sync(); !status.ok()) return status;
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > kMaxManifestSize) {
    return DataLoss(path + ": has " + std::to_string(*size) +
                    " bytes, which no MANIFEST has; restore it from a backup");
  }
  std::string bytes(*size, '\0');
  const auto read = (*file)->Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  ParsedManifest parsed = ParseManifest(bytes);
  if (!parsed.error.empty()) {
    return DataLoss(path + ": " + parsed.error + "; restore it from a backup");
  }
  result_.manifest = std::move(parsed.state);
  result_.manifest_length = parsed.length;
  result_.manifest_file = *std::move(file);
  manifest_size_ = bytes.size();
  return {};
}

Status Recovery::CheckIdentity() {
  const auto directory_inode = directory_.vfs().Inode(directory_.path());
  if (!directory_inode.ok()) return directory_inode.status();
  const auto manifest_inode = directory_.vfs().Inode(directory_.PathOf(kManifestName));
  if (!manifest_inode.ok()) return manifest_inode.status();
  directory_inode_ = *directory_inode;
  manifest_inode_ = *manifest_inode;
  is_copy_ = directory_inode_ != result_.manifest.directory_inode ||
             manifest_inode_ != result_.manifest.manifest_inode;
  if (is_copy_ && !options_.adopt_copy) {
    return FailedPrecondition(directory_.path() + ": is a copy of store " +
                              ToHex(result_.manifest.store_id) +
                              "; use the original, or, if that is gone for good, open this one "
                              "with adopt_copy");
  }
  return {};
}

Status Recovery::FindUnlisted() {
  const auto names = directory_.List();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const auto fid = ParseSegmentName(name);
    if (!fid || result_.manifest.segments.contains(*fid)) continue;
    if (Status status = IsLeftover(name, *fid); !status.ok()) return status;
    leftovers_.push_back(name);
  }
  std::sort(leftovers_.begin(), leftovers_.end());
  return {};
}

// A crash between making a segment and naming it in MANIFEST leaves a file with a known id and no
// record. Anything else that MANIFEST does not name may hold data that MANIFEST has lost.
Status Recovery::IsLeftover(const std::string& name, std::uint64_t fid) {
  const std::string path = directory_.PathOf(name);
  const auto file = directory_.vfs().Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > kSegmentHeaderSize || fid >= result_.manifest.next_fid) {
    return DataLoss(path +
                    ": MANIFEST does not name this segment, so MANIFEST is damaged or older "
                    "than the data; restore it from a backup, or move this file away if it "
                    "does not belong to the store");
  }
  return {};
}

Status Recovery::ReplayAll() {
  for (const auto& [fid, live] : result_.manifest.segments) {
    if (Status status = Replay(fid, live); !status.ok()) return status;
  }
  LoadIndex(loads_, 1, index_);
  return {};
}

Status Recovery::Replay(std::uint64_t fid, const LiveSegment& live) {
  const std::string path = directory_.PathOf(SegmentName(fid));
  auto file = directory_.vfs().Open(path, live.sealed ? OpenMode::kRead : OpenMode::kReadWrite);
  if (!file.ok()) {
    if (file.status().code() != StatusCode::kNotFound) return file.status();
    return DataLoss(path +
                    ": MANIFEST names this segment, but it is missing; put it back or "
                    "restore it from a backup");
  }
  if (!live.sealed) {
    // What the last run could not sync may be in the cache and not on the device; and what is
    // served from now on must not be lost later.
    if (Status status = (*file)->Sync(); !status.ok()) return status;
    (*file)->DropCache();
  }
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  auto scanned =
      ScanSegment(**file, path, fid, *size, live, result_.manifest.store_id, result_.last_seq);
  if (!scanned.ok()) return scanned.status();
  ReplayedSegment* replayed = &scanned->replayed;
  if (Status status = CheckChain(path, replayed->header); !status.ok()) return status;
  result_.last_seq = std::max(result_.last_seq, replayed->last_seq);
  if (live.sealed) {
    SegmentFacts facts;
    facts.fid = fid;
    facts.kind = live.kind;
    facts.length = live.length;
    facts.crc = live.crc;
    facts.min_seq = replayed->position.min_seq;
    facts.max_seq = replayed->position.max_seq;
    segments_.AddSealed(facts);
    if (live.kind == SegmentKind::kLog) result_.position = replayed->position;
  } else {
    result_.active = *std::move(file);
    segments_.AddActive(fid, result_.active);
    result_.position = replayed->position;
    result_.position.durable = replayed->position.length;
    active_size_ = *size;
    active_torn_ = std::move(replayed->torn);
  }
  loads_.push_back({scanned->hint, segments_.Find(fid)->slot()});
  return {};
}

bool Recovery::IsFirstLog(std::uint64_t fid) const {
  for (const auto& [other, live] : result_.manifest.segments) {
    if (live.kind == SegmentKind::kLog) return other == fid;
  }
  return false;
}

Status Recovery::CheckChain(const std::string& path, const SegmentHeader& header) const {
  const auto& segments = result_.manifest.segments;
  if (header.kind == SegmentKind::kMerged) return {};
  if (result_.manifest.dropped.contains(header.previous_fid)) return {};
  if (header.previous_fid == 0 && IsFirstLog(header.fid)) return {};
  const auto previous = segments.find(header.previous_fid);
  if (previous == segments.end() || !previous->second.sealed ||
      previous->second.length != header.previous_length ||
      previous->second.crc != header.previous_crc) {
    return DataLoss(path + ": was written behind " + SegmentName(header.previous_fid) + " with " +
                    std::to_string(header.previous_length) +
                    " bytes, which MANIFEST does not know; restore the missing or changed file "
                    "from a backup");
  }
  return {};
}

Status Recovery::SetAside() {
  for (const std::string& name : leftovers_) {
    if (Status status = directory_.QuarantineFile(
            name, "a crash left it behind before it was used; it holds no data");
        !status.ok()) {
      return status;
    }
  }
  if (manifest_size_ > result_.manifest_length) {
    File& file = *result_.manifest_file;
    if (Status status = directory_.QuarantineTail(file, std::string(kManifestName),
                                                  result_.manifest_length, manifest_size_,
                                                  "the last edit was cut off, so it never counted");
        !status.ok()) {
      return status;
    }
    if (Status status = file.Truncate(result_.manifest_length); !status.ok()) return status;
    if (Status status = file.Sync(); !status.ok()) return status;
  }
  if (result_.active != nullptr && !active_torn_.empty()) {
    // Appending behind the torn bytes would put records where no scan finds them.
    const std::uint64_t length = result_.position.length;
    if (Status status = directory_.QuarantineTail(
            *result_.active, SegmentName(result_.position.fid), length, active_size_, active_torn_);
        !status.ok()) {
      return status;
    }
    if (Status status = result_.active->Truncate(length); !status.ok()) return status;
    if (Status status = result_.active->Sync(); !status.ok()) return status;
  }
  return {};
}

Status Recovery::Adopt() {
  if (!is_copy_) return {};
  ManifestEdit edit;
  edit.Identity(result_.manifest.store_id, directory_inode_, manifest_inode_);
  const std::string frame = EncodeManifestFrame(result_.manifest_length, edit);
  const std::string_view piece = frame;
  File& file = *result_.manifest_file;
  if (Status status = file.Write(result_.manifest_length, {&piece, 1}); !status.ok()) return status;
  if (Status status = file.Sync(); !status.ok()) return status;
  result_.manifest_length += frame.size();
  LogWarning(directory_.path() + ": this copy of store " + ToHex(result_.manifest.store_id) +
             " is now the store");
  return {};
}

}  // namespace

Status CreateManifest(DataDirectory& directory) {
  Vfs& vfs = directory.vfs();
  const std::string path = directory.PathOf(kNewManifestName);
  // Left by a creation that did not come to its end.
  if (Status status = vfs.Remove(path); !status.ok() && status.code() != StatusCode::kNotFound) {
    return status;
  }
  const auto file = vfs.Open(path, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  const auto directory_inode = vfs.Inode(directory.path());
  if (!directory_inode.ok()) return directory_inode.status();
  const auto manifest_inode = vfs.Inode(path);
  if (!manifest_inode.ok()) return manifest_inode.status();
  ManifestEdit edit;
  edit.Identity(NewStoreId(), *directory_inode, *manifest_inode).NextFid(1);
  std::string bytes = EncodeManifestHeader();
  bytes.append(EncodeManifestFrame(bytes.size(), edit));
  const std::string_view piece = bytes;
  if (Status status = (*file)->Write(0, {&piece, 1}); !status.ok()) return status;
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  if (Status status = vfs.Rename(path, directory.PathOf(kManifestName)); !status.ok()) {
    return status;
  }
  return directory.Sync();
}

Result<Recovered> Recover(DataDirectory& directory, const Options& options, SegmentTable& segments,
                          Index& index) {
  return Recovery(directory, options, segments, index).Run();
}

}  // namespace weir::kv
