#include "manifest_file.h"

#include <string>

#include "new_store_id.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// A MANIFEST is written anew when it is larger than this, and this many times its state.
constexpr std::uint64_t kCompactAbove = 64 * 1024;
constexpr std::uint64_t kCompactFactor = 4;
constexpr std::size_t kFrameSize = 64 * 1024;

// Makes `bytes` of the inode of the new file the MANIFEST, durably.
template <class MakeBytes>
Result<std::unique_ptr<File>> ReplaceManifest(DataDirectory& directory, MakeBytes make_bytes) {
  Vfs& vfs = directory.vfs();
  const std::string path = directory.PathOf(kNewManifestName);
  // Left by one that did not come to its end.
  if (Status status = vfs.Remove(path); !status.ok() && status.code() != StatusCode::kNotFound) {
    return status;
  }
  auto file = vfs.Open(path, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  const auto inode = vfs.Inode(path);
  if (!inode.ok()) return inode.status();
  const std::string bytes = make_bytes(*inode);
  const std::string_view piece = bytes;
  if (Status status = (*file)->Write(0, {&piece, 1}); !status.ok()) return status;
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  if (Status status = vfs.Rename(path, directory.PathOf(kManifestName)); !status.ok()) {
    return status;
  }
  if (Status status = directory.Sync(); !status.ok()) return status;
  return file;
}

// A MANIFEST that says what `state` says, of its dropped ids only those in `keep_dropped`.
std::string EncodeManifest(const ManifestState& state,
                           const std::set<std::uint64_t>& keep_dropped) {
  std::string bytes = EncodeManifestHeader();
  ManifestEdit edit;
  const auto end_frame = [&](std::size_t above) {
    if (edit.bytes().size() <= above) return;
    bytes.append(EncodeManifestFrame(bytes.size(), edit));
    edit = ManifestEdit();
  };
  edit.Identity(state.store_id, state.directory_inode, state.manifest_inode)
      .NextFid(state.next_fid);
  if (state.time_floor_ms != 0) edit.TimeFloor(state.time_floor_ms);
  if (state.change_floor != 1) edit.ChangeFloor(state.change_floor);
  for (const std::uint64_t fid : state.dropped) {
    if (!keep_dropped.contains(fid)) continue;
    edit.Add(fid, SegmentKind::kLog).Drop(fid);
    end_frame(kFrameSize);
  }
  for (const auto& [fid, live] : state.segments) {
    edit.Add(fid, live.kind);
    if (live.sealed) edit.Seal(fid, live.length, live.crc);
    end_frame(kFrameSize);
  }
  end_frame(0);
  return bytes;
}

}  // namespace

Status CreateManifest(DataDirectory& directory) {
  const auto directory_inode = directory.vfs().Inode(directory.path());
  if (!directory_inode.ok()) return directory_inode.status();
  ManifestState state;
  state.store_id = NewStoreId();
  state.directory_inode = *directory_inode;
  return ReplaceManifest(directory,
                         [&state](std::uint64_t inode) {
                           state.manifest_inode = inode;
                           return EncodeManifest(state, {});
                         })
      .status();
}

Result<ReadManifest> OpenManifest(DataDirectory& directory, bool read_only) {
  const std::string path = directory.PathOf(kManifestName);
  auto file = directory.vfs().Open(path, read_only ? OpenMode::kRead : OpenMode::kReadWrite);
  if (!file.ok()) return file.status();
  // The last run may have been killed before it had synced what it did. What this run builds upon
  // must be on disk first, and must be what the disk holds.
  if (!read_only) {
    if (Status status = (*file)->Sync(); !status.ok()) return status;
    if (Status status = directory.Sync(); !status.ok()) return status;
  }
  (*file)->DropCache();
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
  const auto directory_inode = directory.vfs().Inode(directory.path());
  if (!directory_inode.ok()) return directory_inode.status();
  const auto manifest_inode = directory.vfs().Inode(path);
  if (!manifest_inode.ok()) return manifest_inode.status();
  ReadManifest manifest;
  manifest.state = std::move(parsed.state);
  manifest.file = *std::move(file);
  manifest.length = parsed.length;
  manifest.file_size = bytes.size();
  manifest.directory_inode = *directory_inode;
  manifest.manifest_inode = *manifest_inode;
  return manifest;
}

Status AdoptCopy(DataDirectory& directory, ReadManifest& manifest) {
  ManifestState& state = manifest.state;
  state.directory_inode = manifest.directory_inode;
  state.manifest_inode = manifest.manifest_inode;
  ManifestEdit edit;
  edit.Identity(state.store_id, state.directory_inode, state.manifest_inode);
  const std::string frame = EncodeManifestFrame(manifest.length, edit);
  const std::string_view piece = frame;
  if (Status status = manifest.file->Write(manifest.length, {&piece, 1}); !status.ok()) {
    return status;
  }
  if (Status status = manifest.file->Sync(); !status.ok()) return status;
  manifest.length += frame.size();
  manifest.file_size = manifest.length;
  LogWarning(directory.path() + ": this copy of store " + ToHex(state.store_id) +
             " is now the store");
  return {};
}

Status CompactManifest(DataDirectory& directory, ReadManifest& manifest,
                       const std::set<std::uint64_t>& keep_dropped) {
  if (manifest.length <= kCompactAbove) return {};
  ManifestState state = manifest.state;
  std::erase_if(state.dropped, [&](std::uint64_t fid) { return !keep_dropped.contains(fid); });
  std::string bytes = EncodeManifest(state, keep_dropped);
  if (manifest.length <= kCompactFactor * bytes.size()) return {};
  auto file = ReplaceManifest(directory, [&](std::uint64_t inode) {
    state.manifest_inode = inode;
    bytes = EncodeManifest(state, keep_dropped);
    return bytes;
  });
  if (!file.ok()) return file.status();
  LogInfo(directory.PathOf(kManifestName) + ": written anew with " + std::to_string(bytes.size()) +
          " bytes instead of " + std::to_string(manifest.length));
  manifest.state = std::move(state);
  manifest.file = *std::move(file);
  manifest.length = manifest.file_size = bytes.size();
  manifest.manifest_inode = manifest.state.manifest_inode;
  return {};
}

}  // namespace weir::kv
