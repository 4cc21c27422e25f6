#include "merge.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "coding.h"
#include "merge_input.h"
#include "merge_move.h"
#include "merge_output.h"
#include "segment_run.h"

namespace weir::kv {
namespace {

// How often the pin is renewed and the pace is asked.
constexpr std::uint64_t kStepBytes = 64 << 10;
constexpr std::uint64_t kRunEntryCost = 8;  // bytes of a hint per entry, roughly

class OneMerge {
 public:
  OneMerge(MergeParts& parts, std::vector<std::shared_ptr<Segment>> inputs, const MergePace& pace,
           MergeCounters& counters)
      : parts_(parts),
        inputs_(std::move(inputs)),
        pace_(pace),
        counters_(counters),
        output_(parts.directory, parts.manifest, parts.store_id, parts.segment_size) {}

  Status Run();
  std::uint64_t bad_fid() const noexcept { return bad_fid_; }

 private:
  void FindOldestOutside();
  Status OpenRuns();
  Status Copy();
  Status CopySome(bool* more);
  Status CopyKey(const Epochs::Pin& pin);
  Status CopyPut(const MergeInput::Found& found, const Location& location);
  Status CopyTombstone(std::string_view key, std::uint64_t seq);
  Status CheckSawAll();
  Status Commit();
  Status Publish();
  void DropInputs();
  bool IsInput(const Segment& segment) const;
  Status BadRecord(const Location& location, std::string_view what);
  void NoteIfBad(const Status& status, std::uint64_t fid);
  Status Step(bool end);

  MergeParts& parts_;
  const std::vector<std::shared_ptr<Segment>> inputs_;
  const MergePace& pace_;
  MergeCounters& counters_;
  // A record that says "deleted" with a seq below this has nothing left to hide.
  std::uint64_t oldest_outside_ = SegmentFacts::kNoSeq;
  std::optional<MergeInput> input_;
  MergeOutput output_;
  std::vector<ExpiredKey> removals_;  // of keys that have expired
  std::uint64_t time_floor_ = 0;
  std::uint64_t now_ms_ = 0;
  std::int64_t seen_live_ = 0;  // bytes of records that the index named
  std::uint64_t step_bytes_ = 0;
  bool again_ = false;  // the current key was not finished
  std::uint64_t bad_fid_ = 0;
  ReadBuffer buffer_;
};

Status OneMerge::Run() {
  now_ms_ = parts_.time.Now();
  FindOldestOutside();
  Status status = OpenRuns();
  if (status.ok()) status = Copy();
  if (status.ok()) status = CheckSawAll();
  if (status.ok()) status = output_.Finish();
  if (!status.ok()) {
    if (output_.sync_failed()) parts_.fence(status);
    // If MANIFEST cannot be trusted any more, neither can what it would say of these.
    if (!parts_.manifest.broken()) output_.Remove();
    return status;
  }
  counters_.written_bytes += output_.bytes();
  if (status = Commit(); !status.ok()) {
    if (parts_.manifest.broken()) {
      parts_.fence(status);
    } else {
      output_.Remove();
    }
    return status;
  }
  return Publish();
}

bool OneMerge::IsInput(const Segment& segment) const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [&](const auto& input) { return input->fid() == segment.fid(); });
}

void OneMerge::FindOldestOutside() {
  for (const auto& segment : parts_.segments.List()) {
    // What is written from now on, and what the active segment has, is newer than all that is
    // closed: it cannot come before a record of the inputs.
    if (!segment->sealed() || IsInput(*segment)) continue;
    oldest_outside_ = std::min(oldest_outside_, segment->facts().min_seq);
  }
}

Status OneMerge::OpenRuns() {
  std::vector<std::unique_ptr<KeyRun>> runs;
  for (const auto& segment : inputs_) {
    auto run =
        OpenRun(parts_.directory.vfs(), parts_.directory.path(), parts_.store_id, segment->facts());
    if (!run.ok()) {
      NoteIfBad(run.status(), segment->fid());
      return run.status();
    }
    runs.push_back(*std::move(run));
    // Without a hint it was read as a whole, which takes a moment.
    if (Status status = Step(true); !status.ok()) return status;
  }
  input_.emplace(std::move(runs));
  return {};
}

void OneMerge::NoteIfBad(const Status& status, std::uint64_t fid) {
  if (status.code() != StatusCode::kDataLoss) return;
  ++counters_.bad_records;
  bad_fid_ = fid;
}

Status OneMerge::Step(bool end) {
  if (step_bytes_ < kStepBytes && !end) return {};
  if (!pace_(std::exchange(step_bytes_, 0))) {
    return Cancelled("the merge was stopped, because the store is being closed");
  }
  return {};
}

Status OneMerge::Copy() {
  bool more = true;
  while (more) {
    if (Status status = CopySome(&more); status.code() == StatusCode::kUnavailable) {
      parts_.segments.MakeRoom();
    } else if (!status.ok()) {
      return status;
    }
    if (Status status = Step(!more); !status.ok()) return status;
  }
  if (Status status = input_->status(); !status.ok()) {
    NoteIfBad(status, inputs_[input_->failed_run()]->fid());
    return status;
  }
  return {};
}

// Under one pin, which is short, or nothing that is replaced meanwhile could be given back.
Status OneMerge::CopySome(bool* more) {
  const auto pin = parts_.epochs.Enter();
  while (step_bytes_ < kStepBytes) {
    // The last key is tried again if there was no file descriptor for it.
    if (!again_ && !(*more = input_->Next())) return {};
    again_ = true;
    if (Status status = CopyKey(pin); !status.ok()) return status;
    again_ = false;
  }
  return {};
}

Status OneMerge::CopyKey(const Epochs::Pin& pin) {
  const std::string_view key = input_->key();
  step_bytes_ += kRunEntryCost * input_->found().size() + key.size();
  const auto named = parts_.index.Find(pin, key);
  if (!named) {
    // Whatever puts there are, this or a newer record that lies outside says that they are gone.
    const RunEntry& newest = *input_->found().front().entry;
    return newest.deleted ? CopyTombstone(key, newest.seq) : Status();
  }
  for (const MergeInput::Found& found : input_->found()) {
    const RunEntry& entry = *found.entry;
    if (!entry.deleted && inputs_[found.run]->slot() == named->slot &&
        entry.offset == named->offset) {
      return CopyPut(found, *named);
    }
  }
  if (IsInput(*parts_.segments.at(named->slot))) {
    return BadRecord(*named, "the index names a record that the hint does not know");
  }
  // The index names a newer record outside, which hides all of these.
  return {};
}

Status OneMerge::BadRecord(const Location& location, std::string_view what) {
  const std::uint64_t fid = parts_.segments.at(location.slot)->fid();
  Status status = DataLoss(parts_.segments.PathOf(fid) + ": at offset " +
                           std::to_string(location.offset) + ": " + std::string(what) +
                           "; this segment is not merged: restore the file from a backup");
  NoteIfBad(status, fid);
  return status;
}

Status OneMerge::CopyPut(const MergeInput::Found& found, const Location& location) {
  const RunEntry& entry = *found.entry;
  std::string_view record;
  if (Status status = parts_.segments.Read(location, buffer_, &record); !status.ok()) {
    NoteIfBad(status, inputs_[found.run]->fid());
    return status;
  }
  const auto head = DecodeRecordHead(record.substr(0, kMaxRecordHead), location.size);
  if (!head || head->size() != location.size ||
      !RecordIsIntact(record, inputs_[found.run]->fid(), location.offset)) {
    return BadRecord(location, "the record is damaged");
  }
  if (head->type() != RecordType::kNormal || head->seq != entry.seq ||
      record.substr(head->head_size, head->key_size) != entry.key) {
    return BadRecord(location, "another record is there than the index and the hint say");
  }
  step_bytes_ += record.size();
  seen_live_ += location.size;
  if (head->has_expiry()) {
    std::string_view value = record.substr(head->head_size + head->key_size);
    std::uint64_t expiry_ms = 0;
    if (!TakeVarint(value, kMaxVarint64, expiry_ms)) {
      return BadRecord(location, "the record has no expiry");
    }
    if (expiry_ms <= now_ms_ && now_ms_ - expiry_ms >= kExpiryGraceMs) {
      // From now on it is a deleted key, and no clock brings it back.
      time_floor_ = std::max(time_floor_, expiry_ms);
      removals_.push_back({std::string(entry.key), location});
      return CopyTombstone(entry.key, entry.seq);
    }
  }
  step_bytes_ += record.size();
  return output_.AddPut(record, *head, location);
}

Status OneMerge::CopyTombstone(std::string_view key, std::uint64_t seq) {
  if (seq < oldest_outside_) return {};
  step_bytes_ += key.size() + kMinRecordSize;
  return output_.AddTombstone(key, seq);
}

// Nothing comes to be in use in a closed segment; so what is in use now must have been seen.
Status OneMerge::CheckSawAll() {
  // A commit moves its keys in the index first and counts the bytes then.
  parts_.snapshots.Settle();
  std::int64_t live = 0;
  for (const auto& input : inputs_) live += input->live_bytes();
  if (live <= seen_live_) return {};
  ++counters_.bad_records;
  return DataLoss(parts_.directory.path() + ": " + std::to_string(live - seen_live_) +
                  " bytes of records in use were not found in the segments to be merged, so these "
                  "stay; rebuild the hints, or restore from a backup");
}

Status OneMerge::Commit() {
  // Records were left out because of newer ones. Those must not be lost before these are.
  if (Status status = parts_.flush(); !status.ok()) return status;
  ManifestEdit edit;
  for (const auto& written : output_.written()) {
    edit.Add(written.facts.fid, SegmentKind::kMerged);
    edit.Seal(written.facts.fid, written.facts.length, written.facts.crc);
  }
  std::uint64_t change_floor = parts_.changes.first();
  for (const auto& input : inputs_) {
    edit.Drop(input->fid());
    if (input->kind() == SegmentKind::kLog && input->facts().max_seq != 0) {
      change_floor = std::max(change_floor, input->facts().max_seq + 1);
    }
  }
  if (change_floor != parts_.changes.first()) edit.ChangeFloor(change_floor);
  if (time_floor_ > parts_.time.floor()) edit.TimeFloor(time_floor_);
  if (Status status = parts_.manifest.Append(std::move(edit)); !status.ok()) return status;
  parts_.changes.RaiseFirst(change_floor);
  parts_.time.RaiseFloor(time_floor_);
  return {};
}

Status OneMerge::Publish() {
  for (const auto& written : output_.written()) {
    if (Status status =
            MoveIndexTo(written, parts_.directory.vfs(), parts_.segments, parts_.snapshots);
        !status.ok()) {
      // MANIFEST has dropped files that the index still names. Reads go on; the next open is right.
      parts_.fence(status);
      return status;
    }
  }
  ForgetExpired(removals_, parts_.snapshots);
  DropInputs();
  ++counters_.merges;
  return {};
}

void OneMerge::DropInputs() {
  const SnapshotId next = parts_.snapshots.next_id();
  for (const auto& input : inputs_) {
    counters_.merged_bytes += input->facts().length;
    parts_.segments.Drop(input->fid(), next);
  }
}

}  // namespace

Status Merge(MergeParts& parts, std::vector<std::shared_ptr<Segment>> inputs, const MergePace& pace,
             MergeCounters& counters, std::uint64_t* bad_fid) {
  if (inputs.empty()) return {};
  OneMerge merge(parts, std::move(inputs), pace, counters);
  Status status = merge.Run();
  *bad_fid = merge.bad_fid();
  if (!status.ok() && status.code() != StatusCode::kCancelled) ++counters.failures;
  return status;
}

}  // namespace weir::kv
