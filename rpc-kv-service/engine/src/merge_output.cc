#include "merge_output.h"

#include <algorithm>
#include <array>

#include "coding.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

constexpr std::size_t kBufferSize = 256 << 10;
// One sync of a whole segment would hold up the syncs of commits for as long as it takes.
constexpr std::uint64_t kSyncEvery = 4 << 20;

}  // namespace

Status MergeOutput::AddPut(std::string_view record, const RecordHead& head, const Location& from) {
  // The batch was seen to be whole, and its end is not copied.
  const auto tag = static_cast<std::uint8_t>(head.tag & ~kBatchBit);
  if (Status status = Add(tag,
                          {.key = record.substr(head.head_size, head.key_size),
                           .seq = head.seq,
                           .expires = head.has_expiry()},
                          record.substr(5, head.head_size - 5), record.substr(head.head_size));
      !status.ok()) {
    return status;
  }
  written_.back().moved_from.push_back(PackPlace(from));
  return {};
}

Status MergeOutput::AddTombstone(std::string_view key, std::uint64_t seq) {
  std::array<char, kMaxRecordHead> head;
  const auto tag = static_cast<std::uint8_t>(RecordType::kDeleted);
  const std::size_t size = EncodeRecordHead(head.data(), tag, seq, key.size(), 0);
  if (Status status = Add(tag, {.key = key, .seq = seq, .deleted = true},
                          std::string_view(head.data() + 5, size - 5), key);
      !status.ok()) {
    return status;
  }
  written_.back().facts.tombstone_bytes += size + key.size();
  return {};
}

Status MergeOutput::Add(std::uint8_t tag, RunEntry entry, std::string_view head_behind_tag,
                        std::string_view rest) {
  const std::uint64_t size = 5 + head_behind_tag.size() + rest.size();
  if (file_ != nullptr && written_.back().facts.length + size > segment_size_) {
    if (Status status = FinishSegment(); !status.ok()) return status;
  }
  if (file_ == nullptr) {
    if (Status status = StartSegment(); !status.ok()) return status;
  }
  SegmentFacts& facts = written_.back().facts;
  const char tag_byte = static_cast<char>(tag);
  const std::uint32_t crc = RecordSeed(facts.fid, facts.length)
                                .Extend(std::string_view(&tag_byte, 1))
                                .Extend(head_behind_tag)
                                .Extend(rest)
                                .Value();
  crc_.Extend(crc);
  AppendFixed(buffer_, crc);
  buffer_.push_back(tag_byte);
  buffer_.append(head_behind_tag);
  if (rest.size() < kBufferSize) {
    buffer_.append(rest);
    rest = {};
  }
  entry.offset = facts.length;
  entry.size = static_cast<std::uint32_t>(size);
  // The store is right without a hint; so nothing that happens to one stops the merge.
  if (hint_ != nullptr && !hint_->Add(entry).ok()) hint_.reset();
  facts.min_seq = std::min(facts.min_seq, entry.seq);
  facts.max_seq = std::max(facts.max_seq, entry.seq);
  facts.length += size;
  bytes_ += size;
  return buffer_.size() >= kBufferSize || !rest.empty() ? WriteOut(rest) : Status();
}

Status MergeOutput::StartSegment() {
  const auto fid = manifest_.AllocateFid();
  if (!fid.ok()) {
    sync_failed_ = manifest_.broken();
    return fid.status();
  }
  auto file = directory_.vfs().Open(directory_.PathOf(SegmentName(*fid)), OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  if (auto hint =
          HintWriter::Create(directory_.vfs(), directory_.path(), *fid, SegmentKind::kMerged);
      hint.ok()) {
    hint_ = *std::move(hint);
  }
  Written& segment = written_.emplace_back();
  segment.facts.fid = *fid;
  segment.facts.kind = SegmentKind::kMerged;
  buffer_ = EncodeSegmentHeader({.store_id = store_id_, .fid = *fid, .kind = SegmentKind::kMerged});
  segment.facts.length = buffer_.size();
  crc_ = Crc32c().Extend(buffer_);
  return {};
}

// Writes the buffer, and `behind` behind it.
Status MergeOutput::WriteOut(std::string_view behind) {
  const std::array<std::string_view, 2> pieces = {buffer_, behind};
  const std::uint64_t size = buffer_.size() + behind.size();
  const std::uint64_t offset = written_.back().facts.length - size;
  if (Status status = file_->Write(offset, pieces); !status.ok()) return status;
  buffer_.clear();
  unsynced_ += size;
  return unsynced_ >= kSyncEvery ? Sync() : Status();
}

Status MergeOutput::Sync() {
  unsynced_ = 0;
  Status status = file_->Sync();
  // A full device may only say so now; what it does not hold is removed.
  if (!status.ok() && status.code() != StatusCode::kResourceExhausted) sync_failed_ = true;
  return status;
}

Status MergeOutput::FinishSegment() {
  if (!buffer_.empty()) {
    if (Status status = WriteOut({}); !status.ok()) return status;
  }
  if (Status status = Sync(); !status.ok()) return status;
  written_.back().facts.crc = crc_.Value();
  file_.reset();
  FinishHint();
  return {};
}

void MergeOutput::FinishHint() {
  if (hint_ == nullptr) return;
  if (Status status = hint_->Finish(store_id_, written_.back().facts, Durability::kNow);
      !status.ok()) {
    LogWarning(std::string(status.message()) + "; the hint is written later");
  }
  hint_.reset();
}

Status MergeOutput::Finish() {
  if (file_ != nullptr) {
    if (Status status = FinishSegment(); !status.ok()) return status;
  }
  if (written_.empty()) return {};
  Status status = directory_.Sync();
  if (!status.ok()) sync_failed_ = true;
  return status;
}

void MergeOutput::Remove() {
  file_.reset();
  hint_.reset();
  for (const Written& segment : written_) {
    for (const std::string& name : {SegmentName(segment.facts.fid), HintName(segment.facts.fid)}) {
      // What stays is not named by MANIFEST, and the next open takes it away.
      (void)directory_.vfs().Remove(directory_.PathOf(name));
    }
  }
}

}  // namespace weir::kv
