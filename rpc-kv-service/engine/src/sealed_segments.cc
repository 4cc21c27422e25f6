#include "sealed_segments.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "data_directory.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

// A millisecond apart. MANIFEST changes before the table does: by a rotation at once, by a merge as
// it goes through what it has written.
constexpr int kTries = 120'000;

// Fills in what belongs to the manifest. False: the table is not as far as MANIFEST, or further.
bool Hold(const SegmentTable& segments, SealedSegments& sealed) {
  sealed.held.clear();
  sealed.last_seq = sealed.manifest.change_floor - 1;
  for (const auto& [fid, live] : sealed.manifest.segments) {
    auto segment = segments.Find(fid);
    if (segment == nullptr || !segment->sealed()) return false;
    sealed.last_seq = std::max(sealed.last_seq, segment->facts().max_seq);
    sealed.held.push_back(std::move(segment));
  }
  return true;
}

}  // namespace

Result<ManifestState> ReadManifestState(Vfs& vfs, const std::string& directory) {
  const std::string path = directory + "/" + std::string(kManifestName);
  const auto bytes = ReadWholeFile(vfs, path, kMaxManifestSize);
  if (!bytes.ok()) return bytes.status();
  ParsedManifest parsed = ParseManifest(*bytes);
  if (!parsed.error.empty()) {
    return DataLoss(path + ": " + parsed.error + "; restore it from a backup, or repair the store");
  }
  return std::move(parsed.state);
}

Result<SealedSegments> HoldSealedSegments(Vfs& vfs, const std::string& directory,
                                          const SegmentTable& segments) {
  SealedSegments sealed;
  sealed.directory = directory;
  for (int i = 0; i < kTries; ++i) {
    auto state = ReadManifestState(vfs, directory);
    if (!state.ok()) return state.status();
    std::erase_if(state->segments, [](const auto& entry) { return !entry.second.sealed; });
    sealed.manifest = *std::move(state);
    if (Hold(segments, sealed)) return sealed;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Unavailable(directory + ": the segments keep changing; try again");
}

}  // namespace weir::kv
