// A snapshot as users hold it.
#pragma once

#include "snapshots.h"
#include "weir/kv/store.h"

namespace weir::kv {

class SnapshotHandle final : public Snapshot {
 public:
  explicit SnapshotHandle(Snapshots& snapshots)
      : snapshots_(snapshots), taken_(snapshots.Acquire()) {}
  ~SnapshotHandle() override { snapshots_.Release(taken_.id); }
  SnapshotHandle(const SnapshotHandle&) = delete;
  SnapshotHandle& operator=(const SnapshotHandle&) = delete;

  std::uint64_t seq() const noexcept override { return taken_.seq; }
  SnapshotId id() const noexcept { return taken_.id; }
  // See SnapshotFate.
  Status Check() const { return taken_.fate->Check(); }

 private:
  Snapshots& snapshots_;
  const Snapshots::Taken taken_;
};

}  // namespace weir::kv
