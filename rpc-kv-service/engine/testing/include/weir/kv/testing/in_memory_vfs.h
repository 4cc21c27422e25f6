// A file system in memory that remembers, beside what a program sees, what a disk would hold: the
// contents of a file at its last Sync, and the names in a directory at its last SyncDirectory. So
// it can show what a crash leaves. It can also be small: a device of few bytes, a process that may
// open few files.
//
// Paths are absolute, or relative to the root. The root is there, other directories must be made.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "weir/kv/vfs.h"

namespace weir::kv {

// What of the data that was not synced a crash leaves.
enum class Unsynced : std::uint8_t {
  kDropped,     // nothing, as after a power cut
  kPartlyKept,  // of appended bytes a random first part; of names in directories random ones
  kReordered,   // of the 4 KiB pages that were written any, of names in directories any
  kKept,        // all, in the cache as before, as after kill -9
};

// Thread-safe.
class InMemoryVfs final : public Vfs {
 public:
  InMemoryVfs();
  ~InMemoryVfs() override;

  // A new file system with what is there after a crash now; nothing is open or locked.
  std::unique_ptr<InMemoryVfs> CrashImage(Unsynced unsynced, std::mt19937_64& random) const;
  // A copy of all that a program sees, nothing open or locked, everything synced.
  std::unique_ptr<InMemoryVfs> Clone() const;
  // Copies the files of `directory` (not those in directories below it), as `from` has them, into
  // the directory of the same path, which is made with its parents. All is synced, inodes are kept.
  Status Import(Vfs& from, const std::string& directory);

  // Contents by path, as a program sees them, for tests that look at or damage files.
  std::string Contents(const std::string& path) const;
  bool Exists(const std::string& path) const;
  // Creates or replaces a file, synced. Keeps the inode of one that is there.
  void SetContents(const std::string& path, std::string contents);
  void SetInode(const std::string& path, std::uint64_t inode);
  // Makes the directory with its parents, synced.
  void MakeDirectories(const std::string& path);

  // The size of the device in bytes. What does not fit is RESOURCE_EXHAUSTED; of a Write that does
  // not fit, the part that fits is written. Removed files give their space back once nobody has
  // them open. Names take no space. Without end at first.
  void SetCapacity(std::uint64_t bytes);
  std::uint64_t used() const;
  // Opening more is UNAVAILABLE. 1024 at first.
  void SetMaxOpenFiles(std::uint64_t count);
  std::uint64_t open_files() const;

  // As on Linux when syncing has failed: what of `file`, one of an InMemoryVfs, is not on disk now
  // is gone for later Syncs, although reads still show it until DropCache.
  static void LoseUnsynced(File& file);

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
  struct State;
  class OpenFile;
  class HeldLock;

  const std::shared_ptr<State> state_;
};

}  // namespace weir::kv
