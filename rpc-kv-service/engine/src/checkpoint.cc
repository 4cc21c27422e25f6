#include "checkpoint.h"

#include "hint_file.h"
#include "new_directory.h"
#include "segment_copy.h"

namespace weir::kv {

Status WriteCheckpoint(Vfs& vfs, const SealedSegments& sealed, const std::string& directory) {
  const auto target = NewDirectory::Begin(vfs, directory);
  if (!target.ok()) return target.status();
  for (const auto& [fid, live] : sealed.manifest.segments) {
    const std::string name = SegmentName(fid);
    const std::string from = sealed.directory + "/" + name;
    const std::string to = (*target)->PathOf(name);
    // A closed segment is on disk and never changes, so both names may share it for ever.
    if (!vfs.Link(from, to).ok()) {
      if (Status status = CopySealedSegment(vfs, from, to, sealed.manifest.store_id, fid, live);
          !status.ok()) {
        return status;
      }
    }
    // Without its hint the segment is only read more slowly.
    const std::string hint = HintName(fid);
    (void)vfs.Link(sealed.directory + "/" + hint, (*target)->PathOf(hint));
  }
  return (*target)->Finish(sealed.manifest, NewDirectory::Identity::kCopy);
}

}  // namespace weir::kv
