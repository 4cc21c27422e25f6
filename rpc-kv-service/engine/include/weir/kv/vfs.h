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

// An open file. Reads may run from any threads, also beside one writer; Write, Truncate, Allocate,
// PrepareAppends and DropCache are for one thread at a time, Sync for another at most, beside it.
// Closed by the destructor.
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
  // Reserves space, so that a Write below `size` does not run out of it, and makes the file at
  // least `size` bytes long; what is new reads as zeroes. RESOURCE_EXHAUSTED if the device has less
  // space. Where the file system cannot reserve, writes zeroes behind the end instead.
  virtual Status Allocate(std::uint64_t size) = 0;
  // Says that Writes will follow, one behind the other, within [begin, end), which makes small ones
  // cheaper where that can be done. The file may become up to `end` bytes long at once; what is new
  // reads as zeroes and takes no space until shortly before it is written. An error says only that
  // it was not done; Writes work as ever. Truncate ends it.
  virtual Status PrepareAppends(std::uint64_t begin, std::uint64_t end) = 0;
  // Begins to write [begin, end) to the device and does not wait, so that a later Sync has less to
  // do. Promises nothing. Any thread.
  virtual void StartWriting(std::uint64_t begin, std::uint64_t end) = 0;
  virtual Result<std::uint64_t> Size() = 0;
  // Forgets cached contents, so that the next Read shows what the device holds. Best effort.
  virtual void DropCache() = 0;
};

// The bytes of a whole file, readable from any threads. Lives on when the file is removed. Bytes
// that are cut off the file while it is mapped must not be read (SIGBUS): map only files that no
// longer change.
class Mapping {
 public:
  virtual ~Mapping() = default;
  virtual std::string_view bytes() const noexcept = 0;
};

// A lock; released by the destructor or by the end of the process, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class LockMode : std::uint8_t {
  kExclusive,  // held by one, and beside no shared one
  kShared,     // held by any number: nobody changes anything meanwhile
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
  // The file's contents as they are now, read-only. An empty file is one without bytes. Needs no
  // file descriptor once it is made.
  virtual Result<std::unique_ptr<Mapping>> Map(const std::string& path) = 0;
  // The names in a directory, in no order, without "." and "..".
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  virtual Status CreateDirectory(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Replaces `to` if it exists.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Gives the file `from` a second name on the same file system. ALREADY_EXISTS if `to` exists.
  virtual Status Link(const std::string& from, const std::string& to) = 0;
  // Makes creations, renames, links and removals in the directory durable.
  virtual Status SyncDirectory(const std::string& path) = 0;
  // The number that a copy of the file or directory would not share.
  virtual Result<std::uint64_t> Inode(const std::string& path) = 0;
  // Bytes that may still be written on the device that holds `path`.
  virtual Result<std::uint64_t> FreeSpace(const std::string& path) = 0;
  // How many files this process may have open at the same time, as the limit is now.
  virtual std::uint64_t MaxOpenFiles() = 0;
  // Takes the lock on `path`, creating the file if needed. An exclusive one writes `text` into it
  // for people to read; a shared one leaves the file as it is, and where there is none and none can
  // be created (a read-only directory) it is granted without holding anything. FAILED_PRECONDITION,
  // naming the holder, if somebody holds it in a way that excludes this one. Does not wait.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path, std::string_view text,
                                                 LockMode mode = LockMode::kExclusive) = 0;
};

// The operating system's files.
std::shared_ptr<Vfs> PosixVfs();

}  // namespace weir::kv
