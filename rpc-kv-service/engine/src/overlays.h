// What live snapshots see of keys that have changed since: one overlay per snapshot.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>

#include "index_portion.h"
#include "index_tree.h"

namespace weir::kv {

using SnapshotId = std::uint64_t;

// A snapshot's state of a key is what the first of its own overlay, the next newer one, ... knows
// of it, else what the tree says. Thread-safe; changes come from one thread at a time. Whoever asks
// has read the tree before: what has changed there since the snapshot is here by then.
class Overlays {
 public:
  // Ids count up.
  void Add(SnapshotId id);
  void Remove(SnapshotId id);
  bool live() const noexcept { return snapshots_.load(std::memory_order_relaxed) != 0; }

  // Before the tree changes: what the keys are now, unless the newest overlay knows of them.
  void Remember(std::span<const KeyEdit> edits);

  // Nothing: it has not changed. Else what the key was: a location or absent.
  std::optional<std::optional<Location>> Find(std::string_view key, SnapshotId snapshot) const;
  // `tree` is what the tree has in the range, or has first in it, if there may be more. Appends to
  // `out` what the snapshot has there instead, up to `most` keys.
  void Merge(const IndexRange& range, SnapshotId snapshot, const IndexPortion& tree, bool more,
             std::size_t most, IndexPortion& out) const;
  // False: nothing has changed since any of the snapshots.
  bool any() const noexcept { return bytes_.load(std::memory_order_relaxed) != 0; }

  std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

 private:
  using Keys = std::map<std::string, std::optional<Location>, std::less<>>;
  struct Overlay {
    Keys keys;
    std::uint64_t bytes = 0;
  };

  mutable std::shared_mutex mutex_;
  std::map<SnapshotId, Overlay> overlays_;
  std::atomic<std::uint64_t> snapshots_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace weir::kv
