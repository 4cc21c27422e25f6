#include "leftover_files.h"

#include <algorithm>

#include "hint_file.h"
#include "segment_scanner.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

Status LostByManifest(const std::string& path) {
  return DataLoss(path +
                  ": MANIFEST does not name this segment, so MANIFEST is damaged or older than the "
                  "data; restore it from a backup, or move this file away if it does not belong "
                  "to the store");
}

// What a segment is that MANIFEST neither names nor has dropped.
Result<LeftoverFile> JudgeSegment(DataDirectory& directory, const ManifestState& manifest,
                                  const std::string& name, std::uint64_t fid) {
  const std::string path = directory.PathOf(name);
  if (fid >= manifest.next_fid) return LostByManifest(path);
  const auto file = directory.vfs().Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  std::string bytes(kSegmentHeaderSize, '\0');
  const auto read = (*file)->Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  const auto [header, error] = DecodeSegmentHeader(bytes);
  if (error.empty() && header.store_id == manifest.store_id && header.fid == fid &&
      header.kind == SegmentKind::kMerged) {
    return LeftoverFile{name, "a merge that did not come to its end was writing it"};
  }
  if (*size <= kSegmentHeaderSize) {
    return LeftoverFile{name, "a crash left it behind before it was used; it holds no data", false};
  }
  // The header of a log is on disk before MANIFEST names it, and records come only then.
  if (!error.empty()) {
    return LeftoverFile{name, "a crash left it behind before its beginning was on disk", false};
  }
  return LostByManifest(path);
}

bool IsUnfinished(std::string_view name) {
  if (name == kNewManifestName) return true;
  if (!name.ends_with(kHintTemporarySuffix)) return false;
  name.remove_suffix(kHintTemporarySuffix.size());
  return ParseHintName(name).has_value();
}

}  // namespace

Result<std::vector<LeftoverFile>> FindLeftovers(DataDirectory& directory,
                                                const ManifestState& manifest) {
  auto names = directory.List();
  if (!names.ok()) return names.status();
  std::sort(names->begin(), names->end());
  std::vector<LeftoverFile> leftovers;
  for (const std::string& name : *names) {
    if (IsUnfinished(name)) {
      leftovers.push_back({name, "a crash left it behind before it was finished"});
    } else if (const auto hint = ParseHintName(name)) {
      if (!manifest.segments.contains(*hint)) {
        leftovers.push_back({name, "its segment is not there any more"});
      }
    } else if (const auto fid = ParseSegmentName(name)) {
      if (manifest.segments.contains(*fid)) continue;
      if (manifest.dropped.contains(*fid)) {
        leftovers.push_back({name, "a merge has taken over all that was in use of it"});
        continue;
      }
      auto judged = JudgeSegment(directory, manifest, name, *fid);
      if (!judged.ok()) return judged.status();
      leftovers.push_back(*std::move(judged));
    }
  }
  return leftovers;
}

Status ClearLeftovers(DataDirectory& directory, const std::vector<LeftoverFile>& leftovers) {
  bool removed = false;
  for (const LeftoverFile& file : leftovers) {
    Status status;
    if (file.holds_nothing) {
      status = directory.vfs().Remove(directory.PathOf(file.name));
      if (status.ok()) LogInfo(directory.PathOf(file.name) + ": removed: " + file.reason);
      removed = true;
    } else {
      status = directory.QuarantineFile(file.name, file.reason);
    }
    if (!status.ok()) return status;
  }
  return removed ? directory.Sync() : Status();
}

}  // namespace weir::kv
