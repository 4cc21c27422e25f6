// The directory of a store: who may use it, what is in it, and where recovery sets things aside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/kv/vfs.h"

namespace weir::kv {

inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kManifestName = "MANIFEST";
inline constexpr std::string_view kNewManifestName = "MANIFEST.tmp";
inline constexpr std::string_view kQuarantineName = "quarantine";

// A locked data directory; the destructor releases the lock.
class DataDirectory {
 public:
  // Locks a directory that holds a store, or that is empty or absent and `create` says so. Refuses
  // what is neither, before anything is changed. `read_only`: the lock is shared with others that
  // only read, and nothing is created but the lock, where that is possible.
  static Result<std::unique_ptr<DataDirectory>> Acquire(std::shared_ptr<Vfs> vfs, std::string path,
                                                        bool create, bool read_only = false);

  Vfs& vfs() noexcept { return *vfs_; }
  const std::string& path() const noexcept { return path_; }
  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  // True: there is no MANIFEST yet.
  bool fresh() const noexcept { return fresh_; }
  Result<std::vector<std::string>> List() { return vfs_->List(path_); }
  Status Sync() { return vfs_->SyncDirectory(path_); }

  // Gives the lock back before the end.
  void Release() noexcept { lock_.reset(); }

  // Undoes what a failed creation made. Only if fresh().
  void RemoveCreated();

  // Moves a file to quarantine/ and logs it with the reason.
  Status QuarantineFile(const std::string& name, std::string_view reason);
  // Copies bytes [from, to) of `file` to quarantine/ durably and logs it with the reason.
  Status QuarantineTail(File& file, const std::string& name, std::uint64_t from, std::uint64_t to,
                        std::string_view reason);

 private:
  DataDirectory(std::shared_ptr<Vfs> vfs, std::string path)
      : vfs_(std::move(vfs)), path_(std::move(path)) {}
  Status Prepare(bool create);
  Status PrepareToRead();
  Status Lock(LockMode mode);
  void RemoveMade();
  // A path in quarantine/ (made if needed) that does not exist yet.
  Result<std::string> NewQuarantinePath(const std::string& name);
  Status SyncQuarantine();

  std::shared_ptr<Vfs> vfs_;
  std::string path_;
  std::unique_ptr<FileLock> lock_;
  bool made_directory_ = false;
  bool made_lock_ = false;
  bool fresh_ = false;
};

}  // namespace weir::kv
