// A scan: the shards of the index, merged in key order, as one snapshot sees them.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "segment_files.h"
#include "snapshots.h"
#include "weir/kv/store.h"

namespace weir::kv {

// Holds no lock between calls: takes keys from the shards in portions and remembers where it was.
class ScanIterator final : public Iterator {
 public:
  ScanIterator(const Index& index, Snapshots& snapshots, SegmentFiles& files,
               const std::string& directory, ScanOptions options);
  ~ScanIterator() override;

  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return entry_.key; }
  std::string_view value() const override { return value_; }
  const Status& status() const override { return status_; }

 private:
  struct Cursor {
    std::vector<IndexEntry> portion;
    std::size_t next = 0;  // in portion
    bool more = true;      // behind the portion
  };
  bool Fill(std::size_t shard);  // false: the shard has no more
  bool TakeSmallest();

  const Index& index_;
  Snapshots& snapshots_;
  SegmentFiles& files_;
  const std::string& directory_;
  const ScanOptions options_;
  std::string start_;
  std::string end_;
  const std::uint64_t snapshot_;
  std::uint64_t left_;
  std::size_t portion_;
  std::array<Cursor, Index::kShards> cursors_;
  std::vector<std::size_t> heap_;  // shards that have a next key; smallest key first
  IndexEntry entry_;
  std::string value_;
  Status status_;
  bool valid_ = false;
};

}  // namespace weir::kv
