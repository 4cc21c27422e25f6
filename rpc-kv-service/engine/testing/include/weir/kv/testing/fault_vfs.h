// A file system in memory for tests of what must never happen: calls that fail, writes that end in
// the middle, and crashes that take everything that was not synced.
//
// It remembers, beside what a program sees, what a disk would hold: the contents of a file at its
// last Sync, and the names in a directory at its last SyncDirectory. As on Linux, data whose Sync
// has failed is gone for later Syncs, although reads still show it until DropCache.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "weir/kv/vfs.h"

namespace weir::kv {

// The calls that change something, or that promise it to be durable.
enum class Call : std::uint8_t {
  kCreate,  // Open with kCreateNew
  kWrite,
  kSync,
  kTruncate,
  kRename,
  kRemove,
  kSyncDirectory,
  kCreateDirectory,
  kLink,
  kAllocate,
};

// What happens to a call.
struct Fault {
  StatusCode code = StatusCode::kInternal;  // kInternal: EIO; kResourceExhausted: ENOSPC
  double written = 0;                       // of a failing write: the part that is written, 0..1
};

// Thread-safe.
class FaultVfs final : public Vfs {
 public:
  FaultVfs();
  ~FaultVfs() override;

  // Asked before every changing call, with its number (from 0 on), kind and path; a Fault makes it
  // fail. Runs under the lock of this object: it must not call it.
  using Plan =
      std::function<const Fault*(std::uint64_t number, Call call, const std::string& path)>;
  void SetPlan(Plan plan);
  // From call `number` on everything fails: the process is dead. What a crash leaves is then asked
  // of CrashImage.
  void KillAt(std::uint64_t number);
  // Changing calls so far.
  std::uint64_t calls() const;

  // What of the data that was not synced a crash leaves.
  enum class Unsynced : std::uint8_t {
    kDropped,     // nothing, as after a power cut
    kPartlyKept,  // of appended bytes a random first part; of names in directories random ones
    kKept,        // all, in the cache as before, as after kill -9
  };
  // A new file system that holds what is there after a crash now; nothing is locked, no plan is
  // set.
  std::unique_ptr<FaultVfs> CrashImage(Unsynced unsynced, std::mt19937_64& random) const;
  // A copy of all that a program sees, nothing locked, everything synced.
  std::unique_ptr<FaultVfs> Clone() const;

  // Contents by path, as a program sees them, for tests that look at or damage files.
  std::string Contents(const std::string& path) const;
  bool Exists(const std::string& path) const;
  // Creates or replaces a file, synced. Keeps the inode of one that is there.
  void SetContents(const std::string& path, std::string contents);

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  // A copy of the contents at that moment.
  Result<std::unique_ptr<Mapping>> Map(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Status CreateDirectory(const std::string& path) override;
  Status RemoveDirectory(const std::string& path) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::uint64_t> Inode(const std::string& path) override;
  Result<std::uint64_t> FreeSpace(const std::string& path) override;
  std::uint64_t MaxOpenFiles() override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path, std::string_view text,
                                         LockMode mode = LockMode::kExclusive) override;

 private:
  struct Node;
  struct Shared;
  class OpenFile;
  class HeldLock;
  class CopiedMapping;

  std::unique_ptr<FaultVfs> Copy() const;

  const std::shared_ptr<Shared> shared_;
};

}  // namespace weir::kv
