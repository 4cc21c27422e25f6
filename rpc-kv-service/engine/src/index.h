// The index: every key and where its newest record lies. In memory, ordered bytewise.
//
// The keys lie in a tree of packed leaves (index_tree.h). It holds no seq and no versions: what a
// live snapshot sees of keys that have changed since lies in an overlay, one per snapshot. A
// snapshot's state of a key is what the first of its own overlay, the next newer one, ... knows of
// it, else what the tree says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "epoch.h"
#include "index_portion.h"
#include "index_tree.h"
#include "location.h"
#include "overlays.h"

namespace weir::kv {

// What a commit does to a key.
struct Change {
  std::string_view key;
  Location location;  // of the record, also if it deletes
  bool deleted = false;
};

// What a merge does to a key, if it is still where the merge has found it.
struct Move {
  std::string_view key;
  Location from;
  std::optional<Location> to;  // nothing: the key is forgotten
  bool done = false;           // out: it was still there
};

inline constexpr SnapshotId kNewest = ~SnapshotId{0};

// Bytes per slot, summed up.
class UsageSum {
 public:
  void Add(std::uint32_t slot, std::int64_t bytes);
  void TellAndClear(SegmentUsage& usage);

 private:
  std::vector<std::int64_t> sums_;      // by slot
  std::vector<std::uint32_t> nonzero_;  // slots that may have one
};

// Keys in ascending order, to become a part of an index that is being loaded. One thread.
class IndexBuilder {
 public:
  // `key` is above all before it.
  void Add(std::string_view key, const Location& location);

 private:
  friend class Index;
  LeafBuilder leaves_;
  UsageSum usage_;
};

// Find, Collect and the counters: any threads, any time. All others: one thread at a time.
class Index {
 public:
  Index(Epochs& epochs, SegmentUsage& usage);
  ~Index();

  // Before anything else: the contents, ranges of keys in ascending order. Tells SegmentUsage.
  void Load(std::span<IndexBuilder> ranges);

  // Makes changes, in order. Not seen by live snapshots.
  void Apply(std::span<const Change> changes);
  // Makes moves, in order. No snapshot sees a difference, but in where to read.
  void Relocate(std::span<Move> moves);

  // Ids count up. `id` is above all before it.
  void AddSnapshot(SnapshotId id);
  void RemoveSnapshot(SnapshotId id);
  // Bytes that are held for snapshots.
  std::uint64_t overlay_bytes() const noexcept;

  // Where the key's record lies; the pin is of the index's Epochs. Of a `snapshot` that
  // is not live the answer means nothing.
  std::optional<Location> Find(const Epochs::Pin& pin, std::string_view key,
                               SnapshotId snapshot = kNewest) const;
  // Clears `out` and puts up to `most` keys into it. Fewer: there are no more in the range.
  void Collect(const Epochs::Pin& pin, const IndexRange& range, SnapshotId snapshot,
               std::size_t most, IndexPortion& out) const;

  std::uint64_t keys() const noexcept;
  std::uint64_t memory_bytes() const noexcept;

 private:
  template <class Items>
  void Sort(const Items& items);  // into order_: by key, then as they come
  void EditTree(std::span<KeyEdit> edits);
  void ApplyOne(const Change& change);

  SegmentUsage& usage_;
  IndexTree tree_;
  Overlays overlays_;

  // The writer's.
  UsageSum sum_;
  struct Order {
    std::uint64_t head;
    std::uint32_t position;
  };
  std::vector<Order> order_;
  std::vector<KeyEdit> edits_;
};

}  // namespace weir::kv
