#include "index.h"

#include <algorithm>
#include <cassert>

namespace weir::kv {
namespace {

// So many keys are brought into the cache together before they are changed.
constexpr std::size_t kWindow = 32;

}  // namespace

void UsageSum::Add(std::uint32_t slot, std::int64_t bytes) {
  if (slot >= sums_.size()) sums_.resize(slot + std::size_t{1});
  if (sums_[slot] == 0) nonzero_.push_back(slot);
  sums_[slot] += bytes;
}

void UsageSum::TellAndClear(SegmentUsage& usage) {
  for (const std::uint32_t slot : nonzero_) {
    if (const std::int64_t sum = std::exchange(sums_[slot], 0); sum != 0) usage.AddLive(slot, sum);
  }
  nonzero_.clear();
}

void IndexBuilder::Add(std::string_view key, const Location& location) {
  leaves_.Add(key, location);
  usage_.Add(location.slot, location.size);
}

Index::Index(Epochs&, SegmentUsage& usage) : usage_(usage) {}
Index::~Index() = default;

void Index::Load(std::span<IndexBuilder> ranges) {
  std::vector<LeafBuilder*> builders;
  for (IndexBuilder& range : ranges) {
    range.usage_.TellAndClear(usage_);
    builders.push_back(&range.leaves_);
  }
  tree_.Load(builders);
}

void Index::EditTree(std::span<KeyEdit> edits) {
  tree_.Apply(edits);
  for (const KeyEdit& edit : edits) {
    if (edit.existed) sum_.Add(edit.was.slot, -static_cast<std::int64_t>(edit.was.size));
    if (!edit.erase) sum_.Add(edit.location.slot, edit.location.size);
  }
  sum_.TellAndClear(usage_);
}

template <class Items>
void Index::Sort(const Items& items) {
  order_.clear();
  for (std::uint32_t i = 0; i < items.size(); ++i) order_.push_back({HeadOf(items[i].key), i});
  const auto before = [&](const Order& a, const Order& b) {
    if (a.head != b.head) return a.head < b.head;
    const int order = items[a.position].key.compare(items[b.position].key);
    return order != 0 ? order < 0 : a.position < b.position;
  };
  if (!std::is_sorted(order_.begin(), order_.end(), before)) {
    std::sort(order_.begin(), order_.end(), before);
  }
}

// What most commits are, if there is no snapshot.
void Index::ApplyOne(const Change& change) {
  KeyEdit edit{.key = change.key, .location = change.location, .erase = change.deleted};
  tree_.Apply({&edit, 1});
  auto added = static_cast<std::int64_t>(edit.erase ? 0 : edit.location.size);
  if (edit.existed) {
    const auto gone = static_cast<std::int64_t>(edit.was.size);
    if (edit.erase || edit.was.slot != edit.location.slot) {
      usage_.AddLive(edit.was.slot, -gone);
    } else {
      added -= gone;
    }
  }
  if (added != 0) usage_.AddLive(edit.location.slot, added);
}

void Index::Apply(std::span<const Change> changes) {
  if (changes.size() == 1 && !overlays_.live()) return ApplyOne(changes.front());
  Sort(changes);
  for (std::size_t at = 0; at < order_.size();) {
    edits_.clear();
    for (; at < order_.size() && edits_.size() < kWindow; ++at) {
      const Change& change = changes[order_[at].position];
      // Only what a commit does last to a key is ever seen.
      if (at + 1 < order_.size() && changes[order_[at + 1].position].key == change.key) continue;
      edits_.push_back({.key = change.key, .location = change.location, .erase = change.deleted});
    }
    if ((edits_.size() > 1 || overlays_.live()) && !tree_.Appends(edits_.front().key)) {
      tree_.Look(edits_);
    }
    if (overlays_.live()) overlays_.Remember(edits_);
    EditTree(edits_);
  }
}

void Index::Relocate(std::span<Move> moves) {
  Sort(moves);
  std::vector<std::size_t> positions;  // of the edits, in moves
  for (std::size_t at = 0; at < order_.size();) {
    edits_.clear();
    positions.clear();
    for (; at < order_.size() && edits_.size() < kWindow; ++at) {
      const Move& move = moves[order_[at].position];
      if (!edits_.empty() && edits_.back().key == move.key) break;  // looks at what comes of it
      edits_.push_back({.key = move.key,
                        .location = move.to.value_or(Location()),
                        .erase = !move.to.has_value()});
      positions.push_back(order_[at].position);
    }
    tree_.Look(edits_);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < edits_.size(); ++i) {
      Move& move = moves[positions[i]];
      move.done = edits_[i].existed && edits_[i].was == move.from;
      if (move.done) edits_[kept++] = edits_[i];
    }
    edits_.resize(kept);
    if (overlays_.live()) {
      for (const KeyEdit& edit : edits_) {
        if (edit.erase) overlays_.Remember({&edit, 1});
      }
    }
    EditTree(edits_);
  }
}

void Index::AddSnapshot(SnapshotId id) {
  overlays_.Add(id);
}

void Index::RemoveSnapshot(SnapshotId id) {
  overlays_.Remove(id);
}

std::uint64_t Index::overlay_bytes() const noexcept {
  return overlays_.bytes();
}

std::optional<Location> Index::Find(const Epochs::Pin&, std::string_view key,
                                    SnapshotId snapshot) const {
  const std::optional<Location> found = tree_.Find(key);
  if (snapshot == kNewest) return found;
  return overlays_.Find(key, snapshot).value_or(found);
}

void Index::Collect(const Epochs::Pin&, const IndexRange& range, SnapshotId snapshot,
                    std::size_t most, IndexPortion& out) const {
  out.Clear();
  if (most == 0 || (!range.end.empty() && range.start >= range.end)) return;
  bool more = tree_.Collect(range, most, out);
  if (snapshot == kNewest || !overlays_.any()) return;
  IndexPortion found;
  std::swap(found, out);
  IndexRange rest = range;
  std::string last;
  for (;;) {
    overlays_.Merge(rest, snapshot, found, more, most, out);
    if (!more || out.size() == most) return;
    last = found.key(found.size() - 1);
    if (range.reverse) {
      rest.end = last;
    } else {
      rest.start = last;
      rest.behind_start = true;
    }
    found.Clear();
    more = tree_.Collect(rest, most - out.size(), found);
  }
}

std::uint64_t Index::keys() const noexcept {
  return tree_.keys();
}

std::uint64_t Index::memory_bytes() const noexcept {
  return tree_.memory_bytes() + overlays_.bytes();
}

}  // namespace weir::kv
