#include "new_directory.h"

#include <unistd.h>

#include "data_directory.h"
#include "hint_file.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

bool IsOurs(std::string_view name) {
  return name == kLockName || name == kManifestName || ParseSegmentName(name) ||
         ParseHintName(name);
}

}  // namespace

Result<std::unique_ptr<NewDirectory>> NewDirectory::Begin(Vfs& vfs, const std::string& path) {
  std::unique_ptr<NewDirectory> directory(new NewDirectory(vfs, std::string(TrimSlashes(path))));
  if (Status status = directory->Prepare(); !status.ok()) return status;
  return directory;
}

Status NewDirectory::Prepare() {
  const auto names = vfs_.List(path_);
  if (names.ok() && !names->empty()) {
    return AlreadyExists(path_ +
                         ": exists and is not empty; choose a directory that does not exist");
  }
  if (!names.ok() && names.status().code() != StatusCode::kNotFound) return names.status();
  if (Status made = vfs_.CreateDirectory(partial_);
      !made.ok() && made.code() != StatusCode::kAlreadyExists) {
    return made;
  }
  auto lock = vfs_.Lock(PathOf(kLockName), "pid " + std::to_string(::getpid()) + "\n");
  if (!lock.ok()) {
    if (lock.status().code() != StatusCode::kFailedPrecondition) return lock.status();
    return FailedPrecondition(std::string(lock.status().message()) +
                              ", which is making that directory; wait for it or choose another");
  }
  lock_ = *std::move(lock);
  return RemoveContents(false);
}

NewDirectory::~NewDirectory() {
  // Best effort: what stays behind is removed by the next one.
  if (lock_ == nullptr || finished_) return;
  if (RemoveContents(true).ok()) (void)vfs_.RemoveDirectory(partial_);
}

Status NewDirectory::RemoveContents(bool all) {
  const auto names = vfs_.List(partial_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!IsOurs(name)) {
      return FailedPrecondition(PathOf(name) +
                                ": is none of the files of an interrupted checkpoint or restore; "
                                "remove it, or choose another directory");
    }
  }
  // MANIFEST first: without it the rest is no store.
  if (Status status = RemoveIfThere(vfs_, PathOf(kManifestName)); !status.ok()) return status;
  for (const std::string& name : *names) {
    if (name == kManifestName || (name == kLockName && !all)) continue;
    if (Status status = RemoveIfThere(vfs_, PathOf(name)); !status.ok()) return status;
  }
  return {};
}

Status NewDirectory::Finish(const ManifestState& state, Identity identity) {
  ManifestState written = state;
  written.directory_inode = written.manifest_inode = 0;
  const std::string path = PathOf(kManifestName);
  const auto file = vfs_.Open(path, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  if (identity == Identity::kStore) {
    const auto directory_inode = vfs_.Inode(partial_);
    if (!directory_inode.ok()) return directory_inode.status();
    const auto manifest_inode = vfs_.Inode(path);
    if (!manifest_inode.ok()) return manifest_inode.status();
    written.directory_inode = *directory_inode;
    written.manifest_inode = *manifest_inode;
  }
  // The names of the data first, then what names them.
  if (Status status = vfs_.SyncDirectory(partial_); !status.ok()) return status;
  const std::string bytes = EncodeManifest(written);
  const std::string_view piece = bytes;
  if (Status status = (*file)->Write(0, {&piece, 1}); !status.ok()) return status;
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  if (Status status = vfs_.SyncDirectory(partial_); !status.ok()) return status;
  if (Status status = vfs_.Rename(partial_, path_); !status.ok()) return status;
  finished_ = true;
  return vfs_.SyncDirectory(ParentOf(path_));
}

}  // namespace weir::kv
