// Files of segments that are read by system calls, a bounded number of them open.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "epoch.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// A segment's file, as its readers find it: without a lock, and writing to no memory that others
// read. What Get gives may be used until the pin ends.
class SegmentFile {
 public:
  // With a pin of Epochs. Null: it has to be opened.
  File* Get() noexcept {
    // Written once between two rounds of the clock, not by every read.
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
    return file_.load(std::memory_order_acquire);
  }

 private:
  friend class SegmentFiles;
  std::atomic<File*> file_{nullptr};
  std::atomic<bool> used_{false};
};

// Keeps at most so many files open, and half as many that wait for their last readers; closes one
// that was not used lately (CLOCK) for the next. Thread-safe.
class SegmentFiles {
 public:
  // `most` is lowered to half of what the process may open: the rest is for others.
  SegmentFiles(Vfs& vfs, std::size_t most);

  // With a pin: opens the file at `path` unless it is open. UNAVAILABLE if there is no descriptor
  // to be had, or too many wait to be closed: end the pin, call MakeRoom, try again.
  Result<File*> Open(const std::string& path, SegmentFile& segment);
  // `segment` is read through `file` from now on; it stays open until Release or Close.
  void Keep(SegmentFile& segment, std::shared_ptr<File> file);
  // The file of Keep may be closed for others from now on.
  void Release(SegmentFile& segment);
  // Closes the segment's file, if it is open, when its readers have left.
  void Close(SegmentFile& segment);

  // Without a pin: closes files, so that others can be opened. Waits a moment if it can close none.
  void MakeRoom();
  // Closes what was put aside and has no readers any more.
  void CloseUnused();
  std::size_t open_files() const;

 private:
  struct Opened {
    SegmentFile* segment;
    std::shared_ptr<File> file;
    bool kept;
  };
  struct Closing {
    std::uint64_t epoch;  // its readers came in that one or before
    std::shared_ptr<File> file;
  };

  // With mutex_ held.
  std::vector<Opened>::iterator Find(const SegmentFile& segment);
  bool Evict();  // false: there is none that may be closed
  void PutAside(std::size_t at);
  std::vector<std::shared_ptr<File>> TakeUnused();  // to be closed without mutex_

  Vfs& vfs_;
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::vector<Opened> open_;
  std::size_t hand_ = 0;  // of the clock, in open_
  std::vector<Closing> closing_;
};

}  // namespace weir::kv
