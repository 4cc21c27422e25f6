// Reads commits from the log segments, one after the other, also while the last is written to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "change_log.h"
#include "record.h"

namespace weir::kv {

class LogFeed final : public ChangeFeed {
 public:
  LogFeed(Vfs& vfs, const SegmentTable& segments, const Snapshots& snapshots, const ChangeLog& log,
          std::uint64_t from)
      : vfs_(vfs), segments_(segments), snapshots_(snapshots), log_(log), next_seq_(from) {
    Next();
  }

  bool Valid() const override { return valid_; }
  void Next() override;
  std::uint64_t seq() const override { return next_seq_ - 1; }
  std::span<const WriteBatch::Operation> operations() const override { return operations_; }
  std::uint64_t next_seq() const override { return next_seq_; }
  const Status& status() const override { return status_; }

 private:
  // An operation of a batch while it is gathered: where its parts are in batch_bytes_.
  struct Gathered {
    std::size_t key_offset;
    std::size_t key_size;
    std::size_t value_size;
    bool is_delete;
    std::uint64_t expiry_ms;
  };

  // Reads commit next_seq_, which is visible, into operations_.
  Status ReadCommit();
  // To the first log segment behind the current one that may hold commit next_seq_.
  Status NextSegment();
  // The current record is the next one at offset_, before `limit`.
  Status ReadRecord(std::uint64_t limit);
  // Bytes [offset, offset + size), or fewer at the end of the file.
  Result<std::string_view> Bytes(std::uint64_t offset, std::uint64_t size, std::uint64_t limit);
  // Takes the current record. True: the commit is complete.
  Result<bool> TakeRecord();
  Result<bool> TakeTxnFinished();
  Status Damaged(std::string_view what) const;

  Vfs& vfs_;
  const SegmentTable& segments_;
  const Snapshots& snapshots_;
  const ChangeLog& log_;

  std::uint64_t next_seq_;
  bool valid_ = false;
  Status status_;
  std::vector<WriteBatch::Operation> operations_;

  // Holding the segment keeps its file.
  std::shared_ptr<Segment> segment_;
  std::unique_ptr<File> file_;
  std::uint64_t offset_ = 0;  // of the next record
  std::string window_;
  std::uint64_t window_offset_ = 0;
  std::uint64_t record_offset_ = 0;  // of the current record
  RecordHead head_;
  std::string_view record_;  // all of it, in window_
  std::vector<Gathered> batch_;
  std::string batch_bytes_;
};

}  // namespace weir::kv
