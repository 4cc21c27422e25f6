#include "segment_log.h"

#include <algorithm>
#include <utility>

#include "coding.h"
#include "weir/kv/options.h"
#include "weir/log.h"

namespace weir::kv {
namespace {

// Reading less than this at the next start is quicker than having one more segment for ever.
constexpr std::uint64_t kSealAtClose = 4 << 20;
// How far ahead to prepare for appends: as much again as the segment holds. (The longer the file,
// the larger are the pieces of memory that Linux takes for its pages.) Above that a write is large.
constexpr std::uint64_t kPrepareLeast = 64 << 10;
constexpr std::uint64_t kPrepareMost = 64 << 20;
constexpr std::uint64_t kLargeWrite = 256 << 10;
// How much may wait to be written to the device before it is told to begin.
constexpr std::uint64_t kStartWriting = 4 << 20;

}  // namespace

SegmentLog::SegmentLog(DataDirectory& directory, SegmentTable& segments, Manifest& manifest,
                       const StoreId& store_id, std::uint64_t segment_size)
    : directory_(directory),
      segments_(segments),
      manifest_(manifest),
      store_id_(store_id),
      segment_size_(segment_size) {}

Status SegmentLog::Start(const SegmentPosition& position, std::shared_ptr<File> active,
                         std::uint64_t last_seq) {
  appended_seq_ = last_seq;
  counters_.durable_seq = last_seq;
  position_ = position;
  // Without an active segment the position is the end of a closed one.
  durable_ = active != nullptr ? position.durable : position.length;
  if (active == nullptr) return Rotate();
  slot_ = segments_.Find(position_.fid)->slot();
  file_ = std::move(active);
  counters_.active_bytes = position_.length;
  return {};
}

void SegmentLog::StartGroup(GroupBuffer& group) {
  pending_mark_end_ = 0;
  group.Start(position_.fid, slot_, position_.length, position_.crc);
}

bool SegmentLog::Fits(std::uint64_t bytes) const noexcept {
  return position_.length == kSegmentHeaderSize || position_.length + bytes <= segment_size_;
}

std::uint64_t SegmentLog::unmarked() const noexcept {
  const std::uint64_t durable = durable_.load();
  return durable > position_.mark_end ? durable - position_.mark_end : 0;
}

Status SegmentLog::Fence(const Status& cause) {
  {
    const std::lock_guard lock(fence_mutex_);
    if (fence_.ok()) {
      fence_ = FailedPrecondition(directory_.path() + ": writes are refused since a failure (" +
                                  std::string(cause.message()) +
                                  "); see to the device, then open the store again");
      LogError(fence_.message());
      counters_.fenced.store(true, std::memory_order_release);
    }
  }
  return Unknown(std::string(cause.message()) +
                 "; the write may or may not be there when the store is opened again");
}

Status SegmentLog::UnknownSinceFence() const {
  return Unknown(std::string(fence().message()) +
                 "; the write may or may not be there when the store is opened again");
}

Status SegmentLog::Append(GroupBuffer& group, std::uint64_t last_seq,
                          const std::function<void()>& drain) {
  if (!fence().ok()) return fence();
  if (group.end() > kMaxSegmentSize) {
    return InvalidArgument("a batch of " + std::to_string(group.size()) +
                           " bytes does not fit into a segment");
  }
  PrepareTail(group);
  if (Status status = file_->Write(position_.length, group.Pieces()); !status.ok()) {
    // Parts of it may be in the file. They must be gone, durably, before the writers are told that
    // nothing was written and before another record takes their place.
    drain();
    has_tail_ = true;
    if (Status undone = CutTail(); !undone.ok()) return undone;
    return status;
  }
  if (last_seq != appended_seq_) {
    if (position_.max_seq == 0) position_.min_seq = appended_seq_ + 1;
    position_.max_seq = last_seq;
  }
  for (const Change& change : group.changes()) {
    if (change.deleted) position_.tombstone_bytes += change.location.size;
  }
  counters_.written_bytes.store(
      counters_.written_bytes.load(std::memory_order_relaxed) + group.size(),
      std::memory_order_relaxed);
  position_.length = group.end();
  position_.crc = group.segment_crc();
  counters_.active_bytes.store(position_.length, std::memory_order_relaxed);
  appended_seq_ = last_seq;
  if (pending_mark_end_ != 0) position_.mark_end = std::exchange(pending_mark_end_, 0);
  counters_.groups.store(counters_.groups.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
  return {};
}

// That fails where there is little space or no way to do it, and the write then does without.
void SegmentLog::PrepareTail(const GroupBuffer& group) {
  if (group.end() <= prepared_ || group.size() > kLargeWrite) return;
  const std::uint64_t more = std::clamp(group.end(), kPrepareLeast, kPrepareMost);
  prepared_ = std::min(group.end() + more, std::max(group.end(), segment_size_));
  has_tail_ = true;
  (void)file_->PrepareAppends(position_.length, prepared_);
}

// Takes what is behind the last record off the file, durably. No Sync may run.
Status SegmentLog::CutTail() {
  if (!std::exchange(has_tail_, false)) return {};
  prepared_ = 0;
  if (Status status = file_->Truncate(position_.length); !status.ok()) return Fence(status);
  if (Status status = SyncFile(); !status.ok()) return status;
  durable_ = position_.length;
  counters_.durable_seq = appended_seq_;
  return {};
}

bool SegmentLog::WantsWriting() {
  const std::uint64_t from = std::max(started_, durable_.load(std::memory_order_relaxed));
  if (position_.length < from + kStartWriting) return false;
  started_ = position_.length;
  const std::lock_guard lock(writing_mutex_);
  writing_ = {file_, from, position_.length};
  return true;
}

void SegmentLog::StartWriting() {
  Writing writing;
  {
    const std::lock_guard lock(writing_mutex_);
    std::swap(writing, writing_);
  }
  if (writing.file != nullptr) writing.file->StartWriting(writing.begin, writing.end);
}

Status SegmentLog::SyncFile() {
  if (Status status = file_->Sync(); !status.ok()) {
    ++counters_.sync_failures;
    return Fence(status);
  }
  ++counters_.syncs;
  return {};
}

Status SegmentLog::Sync(std::uint64_t length, std::uint64_t seq) {
  if (!fence().ok()) return fence();
  if (length <= durable_.load()) return {};
  if (Status status = SyncFile(); !status.ok()) return status;
  durable_ = length;
  counters_.durable_seq = seq;
  return {};
}

Status SegmentLog::AppendEdit(const ManifestEdit& edit) {
  Status status = manifest_.Append(edit);
  return !status.ok() && manifest_.broken() ? Fence(status) : status;
}

Status SegmentLog::Rotate() {
  if (!fence().ok()) return fence();
  // The old segment is on disk, and as long as it says, before the first byte of the next one.
  if (Status status = CutTail(); !status.ok()) return status;
  if (Status status = SyncAll(); !status.ok()) return status;
  const auto fid = manifest_.AllocateFid();
  if (!fid.ok()) return manifest_.broken() ? Fence(fid.status()) : fid.status();
  Status status = CreateNext(*fid);
  // Without its edit the file means nothing. If the edit may be on disk, the file has to stay.
  if (!status.ok() && fence().ok())
    (void)directory_.vfs().Remove(directory_.PathOf(SegmentName(*fid)));
  return status;
}

Status SegmentLog::RotateIfUsed() {
  return position_.max_seq != 0 ? Rotate() : Status();
}

Status SegmentLog::CreateNext(std::uint64_t fid) {
  auto file = directory_.vfs().Open(directory_.PathOf(SegmentName(fid)), OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  SegmentHeader header;
  header.store_id = store_id_;
  header.fid = fid;
  header.previous_fid = position_.fid;
  header.previous_length = position_.length;
  header.previous_crc = position_.fid != 0 ? position_.crc.Value() : 0;
  const std::string bytes = EncodeSegmentHeader(header);
  const std::string_view piece = bytes;
  if (Status status = (*file)->Write(0, {&piece, 1}); !status.ok()) return status;
  // A failed sync is never tried again, not even on a file that can be given up: the device has
  // shown that its word cannot be trusted.
  if (Status status = (*file)->Sync(); !status.ok()) return Fence(status);
  if (Status status = directory_.Sync(); !status.ok()) return Fence(status);
  ManifestEdit edit;
  if (file_ != nullptr) edit.Seal(position_.fid, position_.length, position_.crc.Value());
  edit.Add(fid, SegmentKind::kLog);
  if (Status status = AppendEdit(edit); !status.ok()) return status;

  if (file_ != nullptr) SealInTable();
  file_ = *std::move(file);
  position_ = {.fid = fid, .length = bytes.size(), .durable = bytes.size()};
  position_.crc.Extend(bytes);
  position_.mark_end = bytes.size();
  prepared_ = started_ = 0;
  durable_ = bytes.size();
  counters_.active_bytes = position_.length;
  slot_ = segments_.AddActive(fid, file_)->slot();
  return {};
}

void SegmentLog::SealInTable() {
  SegmentFacts facts;
  facts.fid = position_.fid;
  facts.length = position_.length;
  facts.crc = position_.crc.Value();
  facts.min_seq = position_.min_seq;
  facts.max_seq = position_.max_seq;
  facts.tombstone_bytes = position_.tombstone_bytes;
  segments_.Seal(facts);
}

void SegmentLog::AddMark(GroupBuffer& group) {
  char value[kMaxVarint64];
  const char* end = StoreVarint(value, durable_.load());
  group.Add(static_cast<std::uint8_t>(RecordType::kDurableMark), appended_seq_, {},
            std::string_view(value, static_cast<std::size_t>(end - value)));
  pending_mark_end_ = group.end();
}

Status SegmentLog::Seal() {
  ManifestEdit edit;
  edit.Seal(position_.fid, position_.length, position_.crc.Value());
  if (Status status = AppendEdit(edit); !status.ok()) return status;
  SealInTable();
  counters_.active_bytes = 0;
  return {};
}

Status SegmentLog::Close() {
  if (!fence().ok()) return fence();
  if (file_ == nullptr) return {};
  if (Status status = CutTail(); !status.ok()) return status;
  if (Status status = SyncAll(); !status.ok()) return status;
  if (position_.length >= kSealAtClose) return Seal();
  if (unmarked() == 0) return {};
  // With it, damage to the last records cannot be taken for a torn write.
  GroupBuffer group;
  StartGroup(group);
  AddMark(group);
  if (Status status = Append(group, appended_seq_, [] {}); !status.ok()) {
    // Everything is on disk; a mark for which there was no space is no loss.
    return fence().ok() ? Status() : status;
  }
  return SyncAll();
}

}  // namespace weir::kv
