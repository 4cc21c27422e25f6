#include "overlays.h"

#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::kv {
namespace {

// About what a node of the map takes.
template <class Keys>
std::uint64_t BytesOf(const std::string& key) noexcept {
  constexpr std::uint64_t kNode = sizeof(typename Keys::value_type) + 4 * sizeof(void*) + 16;
  return kNode + (key.capacity() > std::string().capacity() ? key.capacity() + 16 : 0);
}

// Merges ranges of keys of several overlays, older ones first, with those of the tree. All go in
// the direction in which `before` orders.
template <class Iterator, class Before>
void MergeRanges(std::vector<std::pair<Iterator, Iterator>>& ranges, const IndexPortion& tree,
                 std::size_t most, IndexPortion& out, Before before) {
  std::size_t next = 0;
  while (out.size() < most) {
    const auto* first = static_cast<decltype(&*Iterator())>(nullptr);
    for (const auto& [at, end] : ranges) {
      if (at != end && (first == nullptr || before(at->first, first->first))) first = &*at;
    }
    if (first == nullptr) {
      for (; next < tree.size() && out.size() < most; ++next) {
        out.Add(tree.key(next), tree.location(next));
      }
      return;
    }
    if (next < tree.size() && before(tree.key(next), std::string_view(first->first))) {
      out.Add(tree.key(next), tree.location(next));
      ++next;
      continue;
    }
    if (next < tree.size() && tree.key(next) == first->first) ++next;
    if (first->second) out.Add(first->first, *first->second);
    for (auto& [at, end] : ranges) {
      if (at != end && at->first == first->first) ++at;
    }
  }
}

}  // namespace

void Overlays::Add(SnapshotId id) {
  const std::unique_lock lock(mutex_);
  overlays_.try_emplace(id);
  snapshots_.store(overlays_.size(), std::memory_order_relaxed);
}

void Overlays::Remove(SnapshotId id) {
  Overlay gone;  // destroyed when the lock is free
  const std::unique_lock lock(mutex_);
  const auto at = overlays_.find(id);
  if (at == overlays_.end()) return;
  gone = std::move(at->second);
  if (at != overlays_.begin()) {
    // The next older one sees the same, but for what it knows itself. The smaller one moves.
    Overlay& older = std::prev(at)->second;
    if (older.keys.size() >= gone.keys.size()) {
      older.keys.merge(gone.keys);
    } else {
      while (!older.keys.empty()) {
        auto node = older.keys.extract(older.keys.begin());
        auto [position, inserted, left] = gone.keys.insert(std::move(node));
        if (inserted) continue;
        gone.bytes -= BytesOf<Keys>(left.key());
        bytes_.fetch_sub(BytesOf<Keys>(left.key()), std::memory_order_relaxed);
        position->second = left.mapped();
      }
      std::swap(older.keys, gone.keys);
      std::swap(older.bytes, gone.bytes);
    }
    for (const auto& [key, was] : gone.keys) gone.bytes -= BytesOf<Keys>(key);
    older.bytes += gone.bytes;
    gone.bytes = 0;
  }
  std::uint64_t left = 0;
  overlays_.erase(at);
  for (const auto& [other, overlay] : overlays_) left += overlay.bytes;
  bytes_.store(left, std::memory_order_relaxed);
  snapshots_.store(overlays_.size(), std::memory_order_relaxed);
}

void Overlays::Remember(std::span<const KeyEdit> edits) {
  const std::unique_lock lock(mutex_);
  Overlay& newest = overlays_.rbegin()->second;
  std::uint64_t bytes = 0;
  for (const KeyEdit& edit : edits) {
    if (edit.erase && !edit.existed) continue;
    const auto at = newest.keys.lower_bound(edit.key);
    if (at != newest.keys.end() && at->first == edit.key) continue;
    const auto added = newest.keys.emplace_hint(
        at, edit.key, edit.existed ? std::optional(edit.was) : std::nullopt);
    bytes += BytesOf<Keys>(added->first);
  }
  newest.bytes += bytes;
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

std::optional<std::optional<Location>> Overlays::Find(std::string_view key,
                                                      SnapshotId snapshot) const {
  if (!any()) return std::nullopt;
  const std::shared_lock lock(mutex_);
  for (auto overlay = overlays_.lower_bound(snapshot); overlay != overlays_.end(); ++overlay) {
    const auto was = overlay->second.keys.find(key);
    if (was != overlay->second.keys.end()) return was->second;
  }
  return std::nullopt;
}

void Overlays::Merge(const IndexRange& range, SnapshotId snapshot, const IndexPortion& tree,
                     bool more, std::size_t most, IndexPortion& out) const {
  using Forward = Keys::const_iterator;
  using Reverse = std::reverse_iterator<Forward>;
  std::vector<std::pair<Forward, Forward>> forward;
  std::vector<std::pair<Reverse, Reverse>> reverse;
  const std::shared_lock lock(mutex_);
  for (auto overlay = overlays_.lower_bound(snapshot); overlay != overlays_.end(); ++overlay) {
    const Keys& keys = overlay->second.keys;
    auto begin = range.behind_start ? keys.upper_bound(range.start) : keys.lower_bound(range.start);
    auto end = range.end.empty() ? keys.end() : keys.lower_bound(range.end);
    if (more && range.reverse) begin = keys.lower_bound(tree.key(tree.size() - 1));
    if (more && !range.reverse) end = keys.upper_bound(tree.key(tree.size() - 1));
    if (begin == end) continue;
    if (range.reverse) {
      reverse.emplace_back(Reverse(end), Reverse(begin));
    } else {
      forward.emplace_back(begin, end);
    }
  }
  if (range.reverse) {
    MergeRanges(reverse, tree, most, out, std::greater<std::string_view>());
  } else {
    MergeRanges(forward, tree, most, out, std::less<std::string_view>());
  }
}

}  // namespace weir::kv
