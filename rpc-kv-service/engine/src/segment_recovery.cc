#include "segment_recovery.h"

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

// The replay of one segment, while it runs.
class Replay {
 public:
  Replay(File& file, const std::string& path, std::uint64_t fid, std::uint64_t file_size,
         SegmentEnd end, SegmentKeys& keys)
      : path_(path), fid_(fid), keys_(keys), scanner_(file, fid, file_size, end) {}

  Result<ReplayedSegment> Run(const SegmentHeader& header, std::string_view header_bytes,
                              const LiveSegment& live, std::uint64_t last_seq);

 private:
  Status Damaged(std::uint64_t offset, std::string_view what) const {
    return DataLoss(path_ + ": at offset " + std::to_string(offset) + ": " + std::string(what) +
                    "; nothing was changed: restore this file from a backup");
  }
  Status TakeRecord();
  Status TakeTxnFinished();
  Status TakeDurableMark();
  Status JudgeTail(SegmentScanner::Step step, const LiveSegment& live, std::uint64_t last_seq);

  const std::string& path_;
  const std::uint64_t fid_;
  SegmentKeys& keys_;
  SegmentScanner scanner_;
  ReplayedSegment result_;
  Crc32c crc_;  // up to the record before the current one
  // The batch that is not finished yet: its first record's place in keys_, its records' number.
  std::size_t batch_first_ = 0;
  std::uint64_t batch_count_ = 0;
  std::uint64_t batch_seq_ = 0;
  std::uint64_t batch_start_ = 0;
  std::uint64_t durable_ = 0;  // as the last durable mark says
};

Result<ReplayedSegment> Replay::Run(const SegmentHeader& header, std::string_view header_bytes,
                                    const LiveSegment& live, std::uint64_t last_seq) {
  result_.header = header;
  crc_.Extend(header_bytes);
  result_.position = {.fid = fid_, .length = kSegmentHeaderSize, .crc = crc_};
  result_.position.mark_end = kSegmentHeaderSize;
  while (true) {
    const auto step = scanner_.Next();
    if (!step.ok()) return step.status();
    if (*step != SegmentScanner::Step::kRecord) {
      if (Status status = JudgeTail(*step, live, last_seq); !status.ok()) return status;
      break;
    }
    if (Status status = TakeRecord(); !status.ok()) return status;
  }
  if (live.sealed && result_.position.crc.Value() != live.crc) {
    return Damaged(0, "the contents are not those that MANIFEST has sealed");
  }
  return std::move(result_);
}

Status Replay::TakeRecord() {
  const RecordHead& head = scanner_.head();
  crc_.Extend(head.crc);
  const bool finishes = head.type() == RecordType::kTxnFinished;
  if (batch_count_ != 0 && ((!head.in_batch() && !finishes) || head.seq != batch_seq_)) {
    return Damaged(batch_start_, "a batch is not finished, and other records follow it");
  }
  switch (head.type()) {
    case RecordType::kTxnFinished:
      if (Status status = TakeTxnFinished(); !status.ok()) return status;
      break;
    case RecordType::kDurableMark:
      if (Status status = TakeDurableMark(); !status.ok()) return status;
      break;
    case RecordType::kNormal:
    case RecordType::kDeleted: {
      if (head.in_batch() && batch_count_++ == 0) {
        batch_first_ = keys_.size();
        batch_seq_ = head.seq;
        batch_start_ = scanner_.offset();
      }
      keys_.Add({.key = scanner_.key(),
                 .seq = head.seq,
                 .offset = scanner_.offset(),
                 .size = static_cast<std::uint32_t>(head.size()),
                 .deleted = head.type() == RecordType::kDeleted,
                 .expires = head.has_expiry()});
      if (head.in_batch()) return {};
      break;
    }
  }
  result_.last_seq = std::max(result_.last_seq, head.seq);
  if (head.type() != RecordType::kDurableMark) {
    result_.position.min_seq = std::min(result_.position.min_seq, head.seq);
    result_.position.max_seq = std::max(result_.position.max_seq, head.seq);
  }
  result_.position.length = scanner_.end();
  result_.position.crc = crc_;
  return {};
}

Status Replay::TakeTxnFinished() {
  std::string_view value = scanner_.value();
  std::uint64_t count = 0;
  if (batch_count_ == 0 || !TakeVarint(value, kMaxVarint64, count) || count != batch_count_) {
    return Damaged(scanner_.offset(), "the end of a batch does not fit what is before it");
  }
  batch_count_ = 0;
  return {};
}

Status Replay::TakeDurableMark() {
  std::string_view value = scanner_.value();
  std::uint64_t durable = 0;
  if (!TakeVarint(value, kMaxVarint64, durable) || durable > scanner_.offset()) {
    return Damaged(scanner_.offset(), "a durable mark vouches for bytes that it precedes");
  }
  durable_ = std::max(durable_, durable);
  result_.position.mark_end = scanner_.end();
  return {};
}

Status Replay::JudgeTail(SegmentScanner::Step step, const LiveSegment& live,
                         std::uint64_t last_seq) {
  const bool bad = step == SegmentScanner::Step::kBad;
  if (!bad && batch_count_ == 0) return {};
  const std::uint64_t at = scanner_.offset();
  const std::string what =
      bad ? "the record is damaged" : "the file ends inside a batch that was not finished";
  if (live.sealed) return Damaged(at, what);
  if (result_.position.length < durable_) {
    return Damaged(at, what + ", and a durable mark says that it was on disk");
  }
  if (bad) {
    const auto behind = scanner_.FindRecordBehind(at, std::max(last_seq, result_.last_seq));
    if (!behind.ok()) return behind.status();
    if (*behind) {
      return Damaged(at, what +
                             ", and it is not the torn end of the last write, because an intact "
                             "record follows at offset " +
                             std::to_string(**behind));
    }
  }
  if (batch_count_ != 0) keys_.Truncate(batch_first_);
  result_.torn = bad ? "the last write was cut off" : "the last batch was cut off";
  return {};
}

}  // namespace

Result<SegmentHead> ReadSegmentHead(File& file, const std::string& path, std::uint64_t fid,
                                    std::uint64_t file_size, const LiveSegment& live,
                                    const StoreId& store_id) {
  if (live.sealed && file_size != live.length) {
    return DataLoss(path + ": has " + std::to_string(file_size) +
                    " bytes, but MANIFEST has sealed " + std::to_string(live.length) +
                    "; restore this file from a backup");
  }
  std::string bytes(kSegmentHeaderSize, '\0');
  const auto read = file.Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  const auto [header, error] = DecodeSegmentHeader(bytes);
  if (!error.empty()) {
    return DataLoss(path + ": at offset 0: " + error + "; restore this file from a backup");
  }
  if (header.store_id != store_id || header.fid != fid) {
    return DataLoss(path + ": at offset 0: belongs to store " + ToHex(header.store_id) + " as " +
                    SegmentName(header.fid) + "; restore the right file from a backup");
  }
  if (header.kind != live.kind) {
    return DataLoss(path +
                    ": at offset 0: is of another kind than MANIFEST says; restore the right "
                    "file from a backup");
  }
  return SegmentHead{header, std::move(bytes)};
}

Result<ReplayedSegment> ReplaySegment(File& file, const std::string& path, std::uint64_t fid,
                                      std::uint64_t file_size, const LiveSegment& live,
                                      const StoreId& store_id, std::uint64_t last_seq,
                                      SegmentKeys& keys) {
  const auto head = ReadSegmentHead(file, path, fid, file_size, live, store_id);
  if (!head.ok()) return head.status();
  return Replay(file, path, fid, file_size, live.end(), keys)
      .Run(head->header, head->bytes, live, last_seq);
}

}  // namespace weir::kv
