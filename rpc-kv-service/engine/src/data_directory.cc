#include "data_directory.h"

#include <unistd.h>

#include <algorithm>

#include "segment_header.h"
#include "weir/log.h"
#include "whole_file.h"

namespace weir::kv {
namespace {

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What keeps a directory without a MANIFEST from becoming a store, or nothing.
Status CheckUsable(const std::string& path, const std::vector<std::string>& names, bool create) {
  if (Contains(names, kManifestName)) return {};
  for (const std::string& name : names) {
    if (name != kLockName && name != kNewManifestName) {
      return FailedPrecondition(path + ": is not a store: it holds \"" + name +
                                "\" but no MANIFEST; choose an empty directory, or restore "
                                "MANIFEST from a backup");
    }
  }
  if (!create) return NotFound(path + ": holds no store, and creating one was not asked for");
  return {};
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::Acquire(std::shared_ptr<Vfs> vfs,
                                                              std::string path, bool create,
                                                              bool read_only) {
  std::unique_ptr<DataDirectory> directory(new DataDirectory(std::move(vfs), std::move(path)));
  if (Status status = read_only ? directory->PrepareToRead() : directory->Prepare(create);
      !status.ok()) {
    directory->RemoveMade();
    return status;
  }
  return directory;
}

Status DataDirectory::Prepare(bool create) {
  auto names = vfs_->List(path_);
  if (!names.ok() && names.status().code() == StatusCode::kNotFound && create) {
    Status made = vfs_->CreateDirectory(path_);
    if (!made.ok() && made.code() != StatusCode::kAlreadyExists) return made;
    made_directory_ = made.ok();
    names = vfs_->List(path_);
  }
  if (!names.ok()) return names.status();
  if (Status status = CheckUsable(path_, *names, create); !status.ok()) return status;
  // Also for a directory that was there: who made it may have been killed before this. A parent
  // that may not be read is none of ours.
  if (Status status = vfs_->SyncDirectory(ParentOf(path_));
      !status.ok() && status.code() != StatusCode::kPermissionDenied) {
    return status;
  }
  made_lock_ = !Contains(*names, kLockName);
  if (Status status = Lock(LockMode::kExclusive); !status.ok()) return status;
  // Somebody may have created the store while we came to the lock.
  names = vfs_->List(path_);
  if (!names.ok()) return names.status();
  if (Status status = CheckUsable(path_, *names, create); !status.ok()) return status;
  fresh_ = !Contains(*names, kManifestName);
  return {};
}

Status DataDirectory::PrepareToRead() {
  const auto names = vfs_->List(path_);
  if (!names.ok()) return names.status();
  if (Status status = CheckUsable(path_, *names, false); !status.ok()) return status;
  return Lock(LockMode::kShared);
}

Status DataDirectory::Lock(LockMode mode) {
  auto lock = vfs_->Lock(PathOf(kLockName), "pid " + std::to_string(::getpid()) + "\n", mode);
  if (!lock.ok()) {
    if (lock.status().code() != StatusCode::kFailedPrecondition) return lock.status();
    return FailedPrecondition(std::string(lock.status().message()) +
                              "; stop that process or choose another data directory");
  }
  lock_ = *std::move(lock);
  return {};
}

void DataDirectory::RemoveCreated() {
  // Best effort: what stays behind is refused or used again by the next open.
  (void)vfs_->Remove(PathOf(SegmentName(1)));
  (void)vfs_->Remove(PathOf(kNewManifestName));
  (void)vfs_->Remove(PathOf(kManifestName));
  RemoveMade();
}

void DataDirectory::RemoveMade() {
  if (made_lock_ && lock_ != nullptr) (void)vfs_->Remove(PathOf(kLockName));
  if (made_directory_) (void)vfs_->RemoveDirectory(path_);
}

Result<std::string> DataDirectory::NewQuarantinePath(const std::string& name) {
  const std::string quarantine = PathOf(kQuarantineName);
  auto names = vfs_->List(quarantine);
  if (!names.ok()) {
    if (names.status().code() != StatusCode::kNotFound) return names.status();
    if (Status status = vfs_->CreateDirectory(quarantine); !status.ok()) return status;
    if (Status status = Sync(); !status.ok()) return status;
    names = std::vector<std::string>();
  }
  std::string unique = name;
  for (int i = 1; Contains(*names, unique); ++i) unique = name + "." + std::to_string(i);
  return quarantine + "/" + unique;
}

Status DataDirectory::SyncQuarantine() {
  return vfs_->SyncDirectory(PathOf(kQuarantineName));
}

Status DataDirectory::QuarantineFile(const std::string& name, std::string_view reason) {
  const auto to = NewQuarantinePath(name);
  if (!to.ok()) return to.status();
  if (Status status = vfs_->Rename(PathOf(name), *to); !status.ok()) return status;
  if (Status status = SyncQuarantine(); !status.ok()) return status;
  if (Status status = Sync(); !status.ok()) return status;
  LogWarning(PathOf(name) + ": moved to " + *to + ": " + std::string(reason));
  return {};
}

Status DataDirectory::QuarantineTail(File& file, const std::string& name, std::uint64_t from,
                                     std::uint64_t to, std::string_view reason) {
  const auto path = NewQuarantinePath(name + "." + std::to_string(from));
  if (!path.ok()) return path.status();
  auto copy = vfs_->Open(*path, OpenMode::kCreateNew);
  if (!copy.ok()) return copy.status();
  std::string chunk;
  for (std::uint64_t at = from; at < to; at += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(to - at, 1 << 20));
    const auto read = file.Read(at, chunk.data(), chunk.size());
    if (!read.ok()) return read.status();
    if (*read == 0) break;
    chunk.resize(*read);
    const std::string_view piece = chunk;
    if (Status status = (*copy)->Write(at - from, {&piece, 1}); !status.ok()) return status;
  }
  if (Status status = (*copy)->Sync(); !status.ok()) return status;
  if (Status status = SyncQuarantine(); !status.ok()) return status;
  LogWarning(PathOf(name) + ": " + std::to_string(to - from) + " bytes from offset " +
             std::to_string(from) + " on set aside as " + *path + ": " + std::string(reason));
  return {};
}

}  // namespace weir::kv
