#include "log_feed.h"

#include <algorithm>

#include "coding.h"

namespace weir::kv {
namespace {

constexpr std::uint64_t kWindow = 256 * 1024;

}  // namespace

void LogFeed::Next() {
  valid_ = false;
  operations_.clear();
  if (!status_.ok() || next_seq_ > snapshots_.visible()) return;
  status_ = ReadCommit();
  if (!status_.ok()) {
    operations_.clear();
    file_.reset();
    segment_.reset();
    return;
  }
  valid_ = true;
  ++next_seq_;
}

Status LogFeed::ReadCommit() {
  batch_.clear();
  batch_bytes_.clear();
  while (true) {
    if (segment_ == nullptr) {
      if (Status status = NextSegment(); !status.ok()) return status;
    }
    // The commit is visible: if the segment is not closed yet, it is in there, else it may be.
    const bool sealed = segment_->sealed();
    std::uint64_t limit = sealed ? segment_->facts().length : 0;
    if (!sealed) {
      const auto size = file_->Size();
      if (!size.ok()) return size.status();
      limit = *size;
    }
    if (sealed && offset_ >= limit) {
      if (!batch_.empty()) return Damaged("the segment ends inside a batch");
      if (Status status = NextSegment(); !status.ok()) return status;
      continue;
    }
    if (Status status = ReadRecord(limit); !status.ok()) return status;
    const auto complete = TakeRecord();
    if (!complete.ok()) return complete.status();
    if (*complete) return {};
  }
}

Status LogFeed::NextSegment() {
  const auto list = segments_.List();
  // Only after the list is taken: from here on nothing that is listed can go.
  if (const std::uint64_t first = log_.first(); next_seq_ < first) {
    return OutOfRange("commit " + std::to_string(next_seq_) +
                      " has been merged with others; the first that can be had is " +
                      std::to_string(first) +
                      ": take a checkpoint and go on behind its last commit");
  }
  const std::uint64_t behind = segment_ != nullptr ? segment_->fid() : 0;
  for (const auto& segment : list) {
    if (segment->kind() != SegmentKind::kLog || segment->fid() <= behind) continue;
    if (segment->sealed() && segment->facts().max_seq < next_seq_) continue;
    auto file = vfs_.Open(segments_.PathOf(segment->fid()), OpenMode::kRead);
    if (!file.ok()) return file.status();
    segment_ = segment;
    file_ = *std::move(file);
    offset_ = kSegmentHeaderSize;
    window_.clear();
    window_offset_ = 0;
    return {};
  }
  return DataLoss("no segment holds commit " + std::to_string(next_seq_) +
                  "; verify the store, and restore what is damaged from a backup");
}

Result<std::string_view> LogFeed::Bytes(std::uint64_t offset, std::uint64_t size,
                                        std::uint64_t limit) {
  size = std::min(size, limit - std::min(limit, offset));
  if (offset < window_offset_ || offset + size > window_offset_ + window_.size()) {
    window_.resize(std::min(std::max(size, kWindow), limit - offset));
    window_offset_ = offset;
    const auto read = file_->Read(offset, window_.data(), window_.size());
    if (!read.ok()) {
      window_.clear();
      return read.status();
    }
    window_.resize(*read);
  }
  return std::string_view(window_).substr(offset - window_offset_, size);
}

Status LogFeed::ReadRecord(std::uint64_t limit) {
  record_offset_ = offset_;
  for (const bool fresh : {false, true}) {
    // What lies in the window behind the commits that were visible then may have changed since.
    if (fresh) window_.clear();
    const auto first = Bytes(offset_, kMaxRecordHead, limit);
    if (!first.ok()) return first.status();
    const auto head = DecodeRecordHead(*first, limit - std::min(limit, offset_));
    if (!head) continue;
    const auto record = Bytes(offset_, head->size(), limit);
    if (!record.ok()) return record.status();
    if (record->size() != head->size() || !RecordIsIntact(*record, segment_->fid(), offset_)) {
      continue;
    }
    head_ = *head;
    record_ = *record;
    offset_ += head_.size();
    return {};
  }
  return Damaged("the record is damaged");
}

Result<bool> LogFeed::TakeRecord() {
  if (head_.type() == RecordType::kDurableMark || head_.seq < next_seq_) return false;
  if (head_.seq > next_seq_) {
    return Damaged("commit " + std::to_string(head_.seq) + " is there instead of " +
                   std::to_string(next_seq_));
  }
  if (head_.type() == RecordType::kTxnFinished) return TakeTxnFinished();
  const bool is_delete = head_.type() == RecordType::kDeleted;
  const std::string_view key = record_.substr(head_.head_size, head_.key_size);
  std::string_view value = record_.substr(head_.head_size + head_.key_size);
  std::uint64_t expiry_ms = 0;
  if (head_.has_expiry() && !TakeVarint(value, kMaxVarint64, expiry_ms)) {
    return Damaged("the record has no expiry");
  }
  if (head_.in_batch()) {
    batch_.push_back({batch_bytes_.size(), key.size(), value.size(), is_delete, expiry_ms});
    batch_bytes_.append(key).append(value);
    return false;
  }
  operations_.push_back(
      {.is_delete = is_delete, .key = key, .value = value, .expiry_ms = expiry_ms});
  return true;
}

Result<bool> LogFeed::TakeTxnFinished() {
  std::string_view value = record_.substr(head_.head_size + head_.key_size);
  std::uint64_t count = 0;
  if (!TakeVarint(value, kMaxVarint64, count) || count != batch_.size()) {
    return Damaged("the end of a batch does not fit what is before it");
  }
  const std::string_view bytes = batch_bytes_;
  for (const Gathered& one : batch_) {
    operations_.push_back({.is_delete = one.is_delete,
                           .key = bytes.substr(one.key_offset, one.key_size),
                           .value = bytes.substr(one.key_offset + one.key_size, one.value_size),
                           .expiry_ms = one.expiry_ms});
  }
  return true;
}

Status LogFeed::Damaged(std::string_view what) const {
  return DataLoss(segments_.PathOf(segment_->fid()) + ": at offset " +
                  std::to_string(record_offset_) + ": " + std::string(what) +
                  "; restore this file from a backup");
}

}  // namespace weir::kv
