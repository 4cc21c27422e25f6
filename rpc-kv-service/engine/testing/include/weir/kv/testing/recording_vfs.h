// Writes down what is asked of a Vfs, any Vfs, and plays it back: the state of the files after the
// first n calls, for every n, and so what a crash would have left at every point of a history, also
// of one that ran on real files.
//
//   RecordingVfs recording(PosixVfs());
//   ...                                       // a store works on it
//   Replay replay(recording.calls());
//   do {
//     auto image = replay.files().CrashImage(Unsynced::kReordered, random);
//     ...                                     // opens it
//   } while (replay.Step());
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weir/kv/testing/call.h"
#include "weir/kv/testing/in_memory_vfs.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

struct RecordedCall {
  Call call = Call::kOpen;
  std::string path{};        // of a file: the one with which it was opened
  std::string other_path{};  // rename, link: the new name
  std::uint64_t file = 0;    // which open file, counted by the recording; 0: none
  std::uint64_t offset = 0;  // read, write
  std::uint64_t size = 0;    // read, write: bytes; truncate, allocate: the size asked for; size,
                             // inode, free space: the answer
  StatusCode result = StatusCode::kOk;
  std::string bytes{};  // write: what was written; lock: the text
};

// "write /store/000001.data at 64, 120 bytes: OK".
std::string ToString(const RecordedCall& call);
std::ostream& operator<<(std::ostream& out, const RecordedCall& call);

// Thread-safe. Calls that change something run one at a time, in the order of the record.
class RecordingVfs final : public Vfs {
 public:
  explicit RecordingVfs(std::shared_ptr<Vfs> files);
  ~RecordingVfs() override;

  // All calls that have returned so far.
  std::vector<RecordedCall> calls() const;
  // Forgets them.
  void Clear();
  // One line per call.
  void Print(std::ostream& out) const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
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
  class Log;
  class OpenFile;

  const std::shared_ptr<Vfs> files_;
  const std::shared_ptr<Log> log_;
};

// Plays a record back into memory. One thread.
class Replay {
 public:
  // `start`: the files as they were before the first call (see InMemoryVfs::Import); null: none,
  // but for directories that the record takes for granted, which are made.
  explicit Replay(std::vector<RecordedCall> calls, std::unique_ptr<InMemoryVfs> start = nullptr);
  ~Replay();

  // Does the next call as it was done then; false if there is none left. A call that had failed is
  // not done, but that a failed sync loses its data; of a failed write nothing is written. Inodes
  // are made the recorded ones where the record has them.
  bool Step();
  // Calls done so far.
  std::size_t done() const noexcept { return done_; }
  // The next Step's, if there is one.
  const RecordedCall* next() const noexcept;

  InMemoryVfs& files() noexcept { return *files_; }

 private:
  void Do(const RecordedCall& call);
  void DoWithFile(const RecordedCall& call);

  const std::vector<RecordedCall> calls_;
  const std::unique_ptr<InMemoryVfs> files_;
  std::map<std::uint64_t, std::unique_ptr<File>> open_;
  std::size_t done_ = 0;
};

}  // namespace weir::kv
