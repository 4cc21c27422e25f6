// The durable history: appends to the active segment, makes it durable, goes on to the next one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "data_directory.h"
#include "group_buffer.h"
#include "manifest.h"
#include "segment_table.h"

namespace weir::kv {

// Where the active segment ends. The segment CRC covers the header and the CRC field of every
// record, in order; since each of those covers its record, it covers all.
struct SegmentPosition {
  std::uint64_t fid = 0;  // 0: there is no active segment yet
  std::uint64_t length = 0;
  Crc32c crc{};
  std::uint64_t durable = 0;                     // bytes known to be on disk
  std::uint64_t mark_end = 0;                    // behind the last durable mark
  std::uint64_t min_seq = SegmentFacts::kNoSeq;  // of its commits; none: kNoSeq, 0
  std::uint64_t max_seq = 0;
  std::uint64_t tombstone_bytes = 0;  // of records that say a key is deleted, since it was opened
};

// One thread at a time, the one that writes, but for Sync, which another may call meanwhile for
// what has been appended before, and for fence() and the counters.
//
// Once a sync has failed nobody knows what is on disk: the log is fenced, takes nothing more, and
// is only right again after a new recovery (fsync reports an error once and then forgets it).
class SegmentLog {
 public:
  struct Counters {
    std::atomic<std::uint64_t> active_bytes{0};
    std::atomic<std::uint64_t> written_bytes{0};
    std::atomic<std::uint64_t> syncs{0};
    std::atomic<std::uint64_t> sync_failures{0};
    std::atomic<std::uint64_t> groups{0};
    std::atomic<std::uint64_t> durable_seq{0};
    std::atomic<bool> fenced{false};
  };

  SegmentLog(DataDirectory& directory, SegmentTable& segments, Manifest& manifest,
             const StoreId& store_id, std::uint64_t segment_size);

  // Goes on at `position` of `active`, which has a slot in the SegmentTable; without one, makes a
  // new segment behind `position`, which is where the last log segment ends (fid 0: there is none).
  // `last_seq` is the newest commit in the segments.
  Status Start(const SegmentPosition& position, std::shared_ptr<File> active,
               std::uint64_t last_seq);

  // Starts an empty group at the end of the active segment.
  void StartGroup(GroupBuffer& group);
  // True if the active segment may grow by `bytes`; an empty one always may.
  bool Fits(std::uint64_t bytes) const noexcept;
  // Bytes that became durable since the last durable mark: time to write one when there are many.
  std::uint64_t unmarked() const noexcept;
  // Adds a durable mark to a group that is still empty.
  void AddMark(GroupBuffer& group);
  // Of the active segment.
  std::uint64_t length() const noexcept { return position_.length; }
  // Bytes appended and not synced.
  std::uint64_t unsynced() const noexcept { return position_.length - durable_.load(); }

  // Appends a group begun by StartGroup with the commits up to `last_seq`. After a failure nothing
  // of it is in the file, or the log is fenced. `drain` returns when no Sync runs.
  Status Append(GroupBuffer& group, std::uint64_t last_seq, const std::function<void()>& drain);
  // True, once for every few MiB that were appended and not synced: time to call StartWriting.
  bool WantsWriting();
  // Any thread. Lets the device begin with what WantsWriting saw, so that the sync that closes the
  // segment, for which all writers wait, has little left to do.
  void StartWriting();
  // Makes durable what has been appended; it is at least the first `length` bytes of the active
  // segment and the commits up to `seq`.
  Status Sync(std::uint64_t length, std::uint64_t seq);
  // The rest: no Sync may run.
  Status SyncAll() { return Sync(position_.length, appended_seq_); }
  // Seals the active segment and makes the next one.
  Status Rotate();
  // The same, if the active segment has records.
  Status RotateIfUsed();
  // Syncs, and seals the active segment if it is large, so that the next start need not read it;
  // else leaves a mark that all is on disk. The last call.
  Status Close();
  // Something that all rely on could not be made durable (`cause`): from now on nothing is taken.
  // Any thread. Returns what to tell those whose write it was.
  Status Fence(const Status& cause);

  // Not OK: why no more writes are taken.
  const Status& fence() const noexcept {
    static const Status kOpen;
    return counters_.fenced.load(std::memory_order_acquire) ? fence_ : kOpen;
  }
  // For what was appended before the fence and is not known to be durable.
  Status UnknownSinceFence() const;
  const Counters& counters() const noexcept { return counters_; }

 private:
  void PrepareTail(const GroupBuffer& group);
  Status CutTail();
  Status CreateNext(std::uint64_t fid);
  Status Seal();
  void SealInTable();
  Status SyncFile();
  Status AppendEdit(const ManifestEdit& edit);

  DataDirectory& directory_;
  SegmentTable& segments_;
  Manifest& manifest_;
  const StoreId store_id_;
  const std::uint64_t segment_size_;
  std::shared_ptr<File> file_;
  SegmentPosition position_;
  std::uint32_t slot_ = 0;              // of the active segment
  std::uint64_t prepared_ = 0;          // up to here the file has been prepared, or could not be
  std::uint64_t started_ = 0;           // up to here the device was told to begin
  bool has_tail_ = false;               // the file may be longer than position_.length
  std::uint64_t pending_mark_end_ = 0;  // of a mark in the group that is being built
  std::uint64_t appended_seq_ = 0;
  std::atomic<std::uint64_t> durable_{0};  // bytes of the active segment known to be on disk
  struct Writing {
    std::shared_ptr<File> file;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::mutex writing_mutex_;
  Writing writing_;  // writing_mutex_ held
  std::mutex fence_mutex_;
  Status fence_;  // set once, before counters_.fenced
  Counters counters_;
};

}  // namespace weir::kv
