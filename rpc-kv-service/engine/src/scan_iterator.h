// A scan: the index in key order, as one snapshot sees it.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

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

  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return key_; }
  std::string_view value() const override { return value_; }
  const Status& status() const override { return status_; }

 private:
  bool TakePortion();  // false: there are no more keys, or status_ says why
  void KeepSegments();
  void ReleaseSegments();
  bool TakeRecord();  // of the key at at_; false: it has expired, or status_ says what is wrong
  void PrefetchRecord(std::size_t at) const;
  Status ReadUnmapped(Segment& segment, const Location& location, std::string_view* bytes);

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
  std::size_t at_ = 0;
  std::vector<Segment*> kept_;

  // Bytes of a segment that is not mapped: those of one record, or of many that follow each other.
  ReadBuffer buffer_;
  std::string_view window_;
  std::uint32_t window_slot_ = 0;
  std::uint64_t window_offset_ = 0;
  Location last_{};  // record that was read there

  std::string_view key_;
  std::string_view value_;
  Status status_;
  bool valid_ = false;
};

}  // namespace weir::kv
