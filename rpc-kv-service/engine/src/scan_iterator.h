// A scan: the index in key order, as one snapshot sees it.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "record_group.h"
#include "record_reader.h"
#include "snapshot_handle.h"
#include "wall_time.h"
#include "weir/kv/store.h"

namespace weir::kv {

// Holds no lock and no pin between calls: takes keys from the index in portions and remembers where
// it was. What a portion names can be read to its end, also when the snapshot is given up
// meanwhile: it keeps its segments.
class ScanIterator final : public Iterator {
 public:
  ScanIterator(const Index& index, const Epochs& epochs, const SegmentTable& segments,
               const WallTime& time, std::shared_ptr<const SnapshotHandle> snapshot,
               ScanOptions options);
  ~ScanIterator() override { ReleaseSegments(); }

  const Status& status() const override { return status_; }

 private:
  static constexpr std::size_t kTogether = 16;  // records that are read, then shown

  void Advance() override;
  bool TakePortion();  // false: there are no more keys, or failure_ says why
  void KeepSegments();
  void ReleaseSegments();
  bool NeedsRecord(std::size_t at) const noexcept {
    return !options_.keys_only || portion_.location(at).expires;
  }
  bool ShowKeys();     // that need no record; false: there are none
  bool ShowRecords();  // that have been checked; false: there are none
  void TakeRecords();  // the next ones of the portion; failure_ says what is wrong behind them
  bool TakeRecord(RecordGroup& group);  // the next one; false: not now, or failure_ says why
  void PrefetchRecords();               // those that come soon
  void PrefetchRecord(std::size_t at) const;
  Status ReadUnmapped(Segment& segment, const Location& location, std::string_view* bytes);
  bool InWindow(const Location& location) const noexcept {
    return window_slot_ == location.slot && location.offset >= window_offset_ &&
           location.offset + location.size <= window_offset_ + window_.size();
  }

  const Index& index_;
  const Epochs& epochs_;
  const SegmentTable& segments_;
  const WallTime& time_;
  const std::shared_ptr<const SnapshotHandle> snapshot_;
  const ScanOptions options_;
  std::string start_;
  std::string end_;
  bool behind_start_ = false;
  bool more_ = true;  // behind the portion
  std::uint64_t left_;
  std::size_t portion_size_;
  IndexPortion portion_;
  std::size_t at_ = 0;          // of the portion; those before it have been taken
  std::size_t prefetched_ = 0;  // of the portion
  std::vector<Segment*> kept_;

  // Of the portion, read and checked; those from shown_ on have not been shown yet.
  std::array<Item, kTogether> items_;
  std::array<std::uint64_t, kTogether> expiries_;
  std::size_t checked_ = 0;
  std::size_t shown_ = 0;

  // Bytes of a segment that is not mapped: those of one record, or of many that follow each other.
  ReadBuffer buffer_;
  std::string_view window_;
  std::uint32_t window_slot_ = 0;
  std::uint64_t window_offset_ = 0;
  Location last_{};  // record that was read there

  Status failure_;  // behind the records that have been checked
  Status status_;
};

}  // namespace weir::kv
