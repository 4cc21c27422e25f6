// The index: every key and where its newest record lies. In memory, ordered bytewise.
//
// It holds no seq and no versions: what a live snapshot sees of keys that have changed since lies
// in an overlay, one per snapshot. A snapshot's state of a key is what the first of its own
// overlay, the next newer one, ... knows of it, else what the tree says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "epoch.h"
#include "location.h"

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

using SnapshotId = std::uint64_t;
inline constexpr SnapshotId kNewest = ~SnapshotId{0};

// Some keys in the order of a scan, and where they lie. Memory is used again.
class IndexPortion {
 public:
  struct Item {
    std::size_t key_offset;
    std::size_t key_size;
    Location location;
  };
  void Clear() noexcept {
    keys_.clear();
    items_.clear();
  }
  void Add(std::string_view key, const Location& location) {
    items_.push_back({keys_.size(), key.size(), location});
    keys_.append(key);
  }
  std::size_t size() const noexcept { return items_.size(); }
  std::string_view key(std::size_t i) const noexcept {
    return std::string_view(keys_).substr(items_[i].key_offset, items_[i].key_size);
  }
  const Location& location(std::size_t i) const noexcept { return items_[i].location; }

 private:
  std::string keys_;
  std::vector<Item> items_;
};

// Which keys to collect: from the first that is >= start (> start with `behind_start`) on, and
// < end; empty `end`: no end. In reverse: from the last that is < end (no end: the last of all)
// down to start.
struct IndexRange {
  std::string_view start{};
  bool behind_start = false;
  std::string_view end{};
  bool reverse = false;
};

// Keys in ascending order, to become a part of an index that is being loaded. One thread.
class IndexBuilder {
 public:
  // `key` is above all before it.
  void Add(std::string_view key, const Location& location);

 private:
  friend class Index;
  std::vector<std::pair<std::string, Location>> entries_;
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
  using Overlay = std::map<std::string, std::optional<Location>, std::less<>>;

  void Remember(std::string_view key, const std::optional<Location>& was);
  const std::optional<Location>* Overlaid(std::string_view key, SnapshotId snapshot) const;

  SegmentUsage& usage_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, Location, std::less<>> tree_;
  std::map<SnapshotId, Overlay> overlays_;
};

}  // namespace weir::kv
