// A scan: the index in key order, as one snapshot sees it.
#pragma once

#include <memory>
#include <string>

#include "record_reader.h"
#include "snapshot_handle.h"
#include "wall_time.h"
#include "weir/kv/store.h"

namespace weir::kv {

// Holds no lock between calls: takes keys from the index in portions and remembers where it was.
class ScanIterator final : public Iterator {
 public:
  ScanIterator(const Index& index, const Epochs& epochs, const SegmentTable& segments,
               const WallTime& time, std::shared_ptr<const SnapshotHandle> snapshot,
               ScanOptions options);

  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return portion_.key(at_); }
  std::string_view value() const override { return value_; }
  const Status& status() const override { return status_; }

 private:
  bool Step();  // to the next key; false: there is none

  const Index& index_;
  const Epochs& epochs_;
  const SegmentTable& segments_;
  const WallTime& time_;
  const std::shared_ptr<const SnapshotHandle> snapshot_;
  const ScanOptions options_;
  std::string start_;
  std::string end_;
  bool behind_start_ = false;
  std::uint64_t left_;
  std::size_t portion_size_;
  IndexPortion portion_;
  std::size_t at_ = 0;
  bool more_ = true;  // behind the portion
  ReadBuffer buffer_;
  std::string_view value_;
  Status status_;
  bool valid_ = false;
};

}  // namespace weir::kv
