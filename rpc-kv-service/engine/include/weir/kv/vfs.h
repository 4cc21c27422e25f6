// The file seam of the engine: every byte it reads or writes goes through a Vfs, so that tests can
// make any call fail and can drop what was not synced.
//
// Errors are Status values whose message names the path and the operating system's reason. Codes:
// NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED (no space, quota),
// UNAVAILABLE (out of file descriptors), FAILED_PRECONDITION (a lock is held), INTERNAL (the rest).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/status.h"

namespace weir::kv {

// An open file. Reads may run from any threads, also beside one writer; Write, Truncate, Sync and
// DropCache are for one thread at a time. Closed by the destructor.
class File {
 public:
  virtual ~File() = default;
  // Reads up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) = 0;
  // Writes all pieces, one behind the other, from `offset` on. After a failure any part of them
  // may have been written.
  virtual Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) = 0;
  // Makes the contents and the length durable (fdatasync).
  virtual Status Sync() = 0;
  virtual Status Truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> Size() = 0;
  // Forgets cached contents, so that the next Read shows what the device holds. Best effort.
  virtual void DropCache() = 0;
};

// An exclusive lock; released by the destructor or by the end of the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode : std::uint8_t {
  kRead,       // the file must exist
  kReadWrite,  // the file must exist
  kCreateNew,  // read and write; the file must not exist (O_EXCL)
};

// A file system. Thread-safe.
class Vfs {
 public:
  virtual ~Vfs() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // The names in a directory, in no order, without "." and "..".
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual Status CreateDirectory(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Replaces `to` if it exists.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes creations, renames and removals in the directory durable.
  virtual Status SyncDirectory(const std::string& path) = 0;
  // The number that a copy of the file or directory would not share.
  virtual Result<std::uint64_t> Inode(const std::string& path) = 0;
  // Takes the lock on `path`, creating the file if needed, and writes `text` into it for people to
  // read. FAILED_PRECONDITION, quoting the holder's text, if somebody holds it. Does not wait.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 std::string_view text) = 0;
};

// The operating system's files.
std::shared_ptr<Vfs> PosixVfs();

}  // namespace weir::kv
