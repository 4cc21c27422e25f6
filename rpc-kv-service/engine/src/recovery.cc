#include "recovery.h"

#include <algorithm>
#include <set>
#include <thread>

#include "index_loading.h"
#include "leftover_files.h"
#include "parallel.h"
#include "segment_run.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// One recovery, while it runs.
class Recovery {
 public:
  Recovery(DataDirectory& directory, const Options& options, SegmentTable& segments, Index& index)
      : directory_(directory),
        options_(options),
        threads_(ThreadsOrCores(options.open_threads)),
        segments_(segments),
        index_(index) {}

  Result<Recovered> Run();

 private:
  // What is known of one segment that MANIFEST names.
  struct Found {
    Found(std::uint64_t id, const LiveSegment& entry) : fid(id), live(entry) {}

    std::uint64_t fid;
    LiveSegment live;
    Status status;
    SegmentHeader header;
    std::shared_ptr<const Hint> hint;  // from its file, or made by reading the segment
    bool read = false;                 // the latter
    bool has_bad_hint = false;
    std::uint64_t last_seq = 0;
    std::uint32_t slot = 0;
  };

  Status Open();
  Status ReadSealed();
  Status FindSealed(Found& found, bool use_hint);
  Status ReadActive();
  Status CheckChain();
  Status CheckPredecessor(const Found& found, bool first) const;
  Status Load();
  Status SetAside();
  Status CutActive();
  Status Compact();

  StoreId store_id() const { return manifest_.state.store_id; }

  DataDirectory& directory_;
  const Options& options_;
  const std::size_t threads_;
  SegmentTable& segments_;
  Index& index_;
  ReadManifest manifest_;
  std::vector<LeftoverFile> leftovers_;
  std::vector<Found> found_;  // sealed, in the order of fids; then the active one, if any
  Recovered result_;
  std::uint64_t active_size_ = 0;
  std::string active_torn_;
};

Result<Recovered> Recovery::Run() {
  for (const auto step :
       {&Recovery::Open, &Recovery::ReadSealed, &Recovery::ReadActive, &Recovery::CheckChain,
        &Recovery::Load, &Recovery::SetAside, &Recovery::Compact}) {
    if (Status status = (this->*step)(); !status.ok()) return status;
  }
  result_.manifest = std::move(manifest_.state);
  result_.manifest_length = manifest_.length;
  result_.manifest_file = std::move(manifest_.file);
  return std::move(result_);
}

Status Recovery::Open() {
  auto manifest = OpenManifest(directory_, options_.read_only);
  if (!manifest.ok()) return manifest.status();
  manifest_ = *std::move(manifest);
  // Who only reads a copy does no harm.
  if (manifest_.is_copy() && !options_.adopt_copy && !options_.read_only) {
    return FailedPrecondition(directory_.path() + ": is a copy of store " + ToHex(store_id()) +
                              "; use the original, or, if that is gone for good, open this one "
                              "with adopt_copy");
  }
  auto leftovers = FindLeftovers(directory_, manifest_.state);
  if (!leftovers.ok()) return leftovers.status();
  leftovers_ = *std::move(leftovers);
  return {};
}

Status Recovery::ReadSealed() {
  for (const auto& [fid, live] : manifest_.state.segments) {
    if (live.sealed) found_.emplace_back(fid, live);
  }
  InParallel(found_.size(), threads_,
             [this](std::size_t i) { found_[i].status = FindSealed(found_[i], true); });
  for (Found& found : found_) {
    if (!found.status.ok()) return found.status;
    const auto segment = segments_.AddSealed(found.hint->facts());
    found.slot = segment->slot();
    result_.last_seq = std::max(result_.last_seq, found.last_seq);
    if (found.live.kind != SegmentKind::kLog) continue;
    result_.position = {.fid = found.fid,
                        .length = found.live.length,
                        .crc = Crc32c::Of(found.live.crc),
                        .durable = found.live.length,
                        .mark_end = found.live.length};
  }
  // What has been merged away had lower numbers than these, and they are not used again.
  result_.last_seq = std::max(result_.last_seq, manifest_.state.change_floor - 1);
  return {};
}

Status Recovery::FindSealed(Found& found, bool use_hint) {
  const std::string path = directory_.PathOf(SegmentName(found.fid));
  const auto file = directory_.vfs().Open(path, OpenMode::kRead);
  if (!file.ok()) {
    if (file.status().code() != StatusCode::kNotFound) return file.status();
    return DataLoss(path +
                    ": MANIFEST names this segment, but it is missing; put it back or "
                    "restore it from a backup");
  }
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (use_hint) {
    auto hint = OpenHint(directory_.vfs(), directory_.path(), store_id(), found.fid, found.live);
    if (hint.ok()) {
      const auto head = ReadSegmentHead(**file, path, found.fid, *size, found.live, store_id());
      if (!head.ok()) return head.status();
      found.header = head->header;
      found.hint = *std::move(hint);
      found.last_seq = found.hint->facts().max_seq;
      return {};
    }
    if (hint.status().code() != StatusCode::kNotFound) {
      LogWarning(std::string(hint.status().message()) + "; reading the segment instead");
      found.has_bad_hint = true;
    }
  }
  auto scanned = ScanSegment(**file, path, found.fid, *size, found.live, store_id(), 0);
  if (!scanned.ok()) return scanned.status();
  found.header = scanned->replayed.header;
  found.hint = std::move(scanned->hint);
  found.read = true;
  found.last_seq = scanned->replayed.last_seq;
  return {};
}

Status Recovery::ReadActive() {
  const auto& all = manifest_.state.segments;
  const auto at =
      std::find_if(all.begin(), all.end(), [](const auto& s) { return !s.second.sealed; });
  if (at == all.end()) return {};
  Found found(at->first, at->second);
  const std::string path = directory_.PathOf(SegmentName(found.fid));
  auto file =
      directory_.vfs().Open(path, options_.read_only ? OpenMode::kRead : OpenMode::kReadWrite);
  if (!file.ok()) {
    if (file.status().code() != StatusCode::kNotFound) return file.status();
    return DataLoss(path +
                    ": MANIFEST names this segment, but it is missing; put it back or "
                    "restore it from a backup");
  }
  // What the last run could not sync may be in the cache and not on the device; and what is
  // served from now on must not be lost later.
  if (!options_.read_only) {
    if (Status status = (*file)->Sync(); !status.ok()) return status;
  }
  (*file)->DropCache();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  auto scanned =
      ScanSegment(**file, path, found.fid, *size, found.live, store_id(), result_.last_seq);
  if (!scanned.ok()) return scanned.status();
  result_.last_seq = std::max(result_.last_seq, scanned->replayed.last_seq);
  result_.position = scanned->replayed.position;
  result_.position.durable = result_.position.length;
  result_.active = *std::move(file);
  active_size_ = *size;
  active_torn_ = std::move(scanned->replayed.torn);
  found.header = scanned->replayed.header;
  found.hint = std::move(scanned->hint);
  found.slot = segments_.AddActive(found.fid, result_.active)->slot();
  found_.push_back(std::move(found));
  return {};
}

Status Recovery::CheckChain() {
  bool first = true;
  for (const Found& found : found_) {
    if (found.live.kind != SegmentKind::kLog) continue;
    if (Status status = CheckPredecessor(found, first); !status.ok()) return status;
    first = false;
  }
  return {};
}

Status Recovery::CheckPredecessor(const Found& found, bool first) const {
  const SegmentHeader& header = found.header;
  if (manifest_.state.dropped.contains(header.previous_fid)) return {};
  if (header.previous_fid == 0 && first) return {};
  const auto previous = manifest_.state.segments.find(header.previous_fid);
  if (previous == manifest_.state.segments.end() || !previous->second.sealed ||
      previous->second.length != header.previous_length ||
      previous->second.crc != header.previous_crc) {
    return DataLoss(directory_.PathOf(SegmentName(found.fid)) + ": was written behind " +
                    SegmentName(header.previous_fid) + " with " +
                    std::to_string(header.previous_length) +
                    " bytes, which MANIFEST does not know; restore the missing or changed file "
                    "from a backup");
  }
  return {};
}

Status Recovery::Load() {
  std::vector<SegmentToLoad> loads;
  loads.reserve(found_.size());
  for (const Found& found : found_) {
    loads.push_back({found.hint, found.slot});
  }
  while (const auto bad = LoadIndex(loads, threads_, index_)) {
    Found& found = found_[*bad];
    const std::string path = directory_.PathOf(HintName(found.fid));
    if (found.read || !found.live.sealed) return Internal(path + ": cannot be made");
    LogWarning(path + ": does not fit its segment; reading the segment instead");
    if (Status status = FindSealed(found, false); !status.ok()) return status;
    found.has_bad_hint = true;
    loads[*bad].hint = found.hint;
    result_.last_seq = std::max(result_.last_seq, found.last_seq);
  }
  for (const Found& found : found_) {
    if (found.read) result_.without_hint.push_back(found.hint->facts());
    if (found.has_bad_hint) {
      leftovers_.push_back({HintName(found.fid), "it does not fit its segment; it is built again"});
    }
  }
  return {};
}

Status Recovery::SetAside() {
  if (options_.read_only) return {};
  if (Status status = ClearLeftovers(directory_, leftovers_); !status.ok()) return status;
  if (manifest_.file_size > manifest_.length) {
    File& file = *manifest_.file;
    if (Status status = directory_.QuarantineTail(file, std::string(kManifestName),
                                                  manifest_.length, manifest_.file_size,
                                                  "the last edit was cut off, so it never counted");
        !status.ok()) {
      return status;
    }
    if (Status status = file.Truncate(manifest_.length); !status.ok()) return status;
    if (Status status = file.Sync(); !status.ok()) return status;
  }
  if (Status status = CutActive(); !status.ok()) return status;
  return manifest_.is_copy() ? AdoptCopy(directory_, manifest_) : Status();
}

Status Recovery::CutActive() {
  const std::uint64_t length = result_.position.length;
  if (result_.active == nullptr || active_size_ == length) return {};
  // Appending behind torn bytes would put records where no scan finds them. The zeroes behind them,
  // or behind the last record, were prepared for records that did not come.
  if (!active_torn_.empty()) {
    const auto contents = EndOfContents(*result_.active, length, active_size_);
    if (!contents.ok()) return contents.status();
    if (Status status = directory_.QuarantineTail(
            *result_.active, SegmentName(result_.position.fid), length, *contents, active_torn_);
        !status.ok()) {
      return status;
    }
  }
  if (Status status = result_.active->Truncate(length); !status.ok()) return status;
  return result_.active->Sync();
}

Status Recovery::Compact() {
  if (options_.read_only) return {};
  // The dropped ids that the chain of the logs goes through.
  std::set<std::uint64_t> needed;
  for (const Found& found : found_) needed.insert(found.header.previous_fid);
  return CompactManifest(directory_, manifest_, needed);
}

}  // namespace

Result<Recovered> Recover(DataDirectory& directory, const Options& options, SegmentTable& segments,
                          Index& index) {
  return Recovery(directory, options, segments, index).Run();
}

}  // namespace weir::kv
