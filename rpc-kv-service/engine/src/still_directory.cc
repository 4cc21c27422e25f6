#include "still_directory.h"

#include <algorithm>

#include "data_directory.h"
#include "sealed_segments.h"
#include "segment_survey.h"

namespace weir::kv {

Result<std::unique_ptr<FileLock>> LockStill(Vfs& vfs, const std::string& directory) {
  const auto names = vfs.List(directory);
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), kLockName) == names->end()) {
    return std::unique_ptr<FileLock>(std::make_unique<FileLock>());
  }
  auto lock = vfs.Lock(directory + "/" + std::string(kLockName), {}, LockMode::kShared);
  if (!lock.ok() && lock.status().code() == StatusCode::kFailedPrecondition) {
    return FailedPrecondition(std::string(lock.status().message()) + "; stop that process first");
  }
  return lock;
}

Result<StillStore> SealStill(Vfs& vfs, const std::string& directory) {
  auto state = ReadManifestState(vfs, directory);
  if (!state.ok()) return state.status();
  StillStore still;
  still.state = *std::move(state);
  still.last_seq = still.state.change_floor - 1;
  for (auto& [fid, live] : still.state.segments) {
    const std::string path = directory + "/" + SegmentName(fid);
    const auto file = vfs.Open(path, OpenMode::kRead);
    if (!file.ok()) return file.status();
    const auto size = (*file)->Size();
    if (!size.ok()) return size.status();
    const std::uint64_t length = live.sealed ? live.length : *size;
    const auto survey =
        SurveySegment(**file, fid, std::min(length, *size), live.end(), [](const auto&) {});
    if (!survey.ok()) return survey.status();
    still.last_seq = std::max(still.last_seq, survey->max_seq);
    if (live.sealed) continue;
    const auto damaged = [&](const BadPlace& place) {
      return DataLoss(path + ": at offset " + std::to_string(place.offset) + ": " + place.what +
                      "; restore this file from a backup, or repair the store");
    };
    if (!survey->header_error.empty()) return damaged(survey->bad.front());
    if (!survey->bad.empty()) {
      // Only a torn tail may be left out: nothing good behind it, nothing that was on disk in it.
      const bool tail = survey->bad.back().offset + survey->bad.back().size >= survey->end;
      const std::uint64_t first = survey->bad.front().offset;
      std::uint64_t end = first;
      for (const BadPlace& place : survey->bad) {
        if (place.offset == end) end += place.size;
      }
      if (!tail || end < survey->end || first < survey->durable)
        return damaged(survey->bad.front());
    }
    live.length = survey->good_length;
    live.crc = survey->good_crc;
    live.sealed = true;
  }
  return still;
}

}  // namespace weir::kv
