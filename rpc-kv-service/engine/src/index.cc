#include "index.h"

#include <mutex>

namespace weir::kv {

void IndexBuilder::Add(std::string_view key, const Location& location) {
  entries_.emplace_back(key, location);
}

Index::Index(Epochs&, SegmentUsage& usage) : usage_(usage) {}
Index::~Index() = default;

void Index::Load(std::span<IndexBuilder> ranges) {
  for (IndexBuilder& range : ranges) {
    for (auto& [key, location] : range.entries_) {
      usage_.AddLive(location.slot, location.size);
      tree_.emplace_hint(tree_.end(), std::move(key), location);
    }
    range.entries_.clear();
  }
}

void Index::Remember(std::string_view key, const std::optional<Location>& was) {
  if (overlays_.empty()) return;
  overlays_.rbegin()->second.try_emplace(std::string(key), was);
}

void Index::Apply(std::span<const Change> changes) {
  const std::unique_lock lock(mutex_);
  for (const Change& change : changes) {
    const auto at = tree_.find(change.key);
    if (at != tree_.end()) {
      Remember(change.key, at->second);
      usage_.AddLive(at->second.slot, -static_cast<std::int64_t>(at->second.size));
    } else if (!change.deleted) {
      Remember(change.key, std::nullopt);
    }
    if (change.deleted) {
      if (at != tree_.end()) tree_.erase(at);
      continue;
    }
    usage_.AddLive(change.location.slot, change.location.size);
    if (at != tree_.end()) {
      at->second = change.location;
    } else {
      tree_.emplace(change.key, change.location);
    }
  }
}

void Index::Relocate(std::span<Move> moves) {
  const std::unique_lock lock(mutex_);
  for (Move& move : moves) {
    const auto at = tree_.find(move.key);
    move.done = at != tree_.end() && at->second == move.from;
    if (!move.done) continue;
    usage_.AddLive(move.from.slot, -static_cast<std::int64_t>(move.from.size));
    if (move.to) {
      usage_.AddLive(move.to->slot, move.to->size);
      at->second = *move.to;
    } else {
      Remember(move.key, move.from);
      tree_.erase(at);
    }
  }
}

void Index::AddSnapshot(SnapshotId id) {
  const std::unique_lock lock(mutex_);
  overlays_.try_emplace(id);
}

void Index::RemoveSnapshot(SnapshotId id) {
  const std::unique_lock lock(mutex_);
  const auto at = overlays_.find(id);
  if (at == overlays_.end()) return;
  if (at != overlays_.begin()) std::prev(at)->second.merge(at->second);
  overlays_.erase(at);
}

std::uint64_t Index::overlay_bytes() const noexcept {
  return 0;
}

const std::optional<Location>* Index::Overlaid(std::string_view key, SnapshotId snapshot) const {
  for (auto at = overlays_.lower_bound(snapshot); at != overlays_.end(); ++at) {
    if (const auto was = at->second.find(key); was != at->second.end()) return &was->second;
  }
  return nullptr;
}

std::optional<Location> Index::Find(const Epochs::Pin&, std::string_view key,
                                    SnapshotId snapshot) const {
  const std::shared_lock lock(mutex_);
  if (snapshot != kNewest) {
    if (const auto* was = Overlaid(key, snapshot)) return *was;
  }
  const auto at = tree_.find(key);
  if (at == tree_.end()) return std::nullopt;
  return at->second;
}

void Index::Collect(const Epochs::Pin&, const IndexRange& range, SnapshotId snapshot,
                    std::size_t most, IndexPortion& out) const {
  out.Clear();
  const std::shared_lock lock(mutex_);
  std::map<std::string_view, std::optional<Location>> all;
  for (auto at = range.behind_start ? tree_.upper_bound(range.start)
                                    : tree_.lower_bound(range.start);
       at != tree_.end() && (range.end.empty() || at->first < range.end); ++at) {
    all.emplace(at->first, at->second);
  }
  if (snapshot != kNewest) {
    for (auto overlay = overlays_.rbegin();
         overlay != overlays_.rend() && overlay->first >= snapshot; ++overlay) {
      for (auto at = range.behind_start ? overlay->second.upper_bound(range.start)
                                        : overlay->second.lower_bound(range.start);
           at != overlay->second.end() && (range.end.empty() || at->first < range.end); ++at) {
        all[at->first] = at->second;
      }
    }
  }
  const auto take = [&](const auto& entry) {
    if (entry.second && out.size() < most) out.Add(entry.first, *entry.second);
  };
  if (range.reverse) {
    for (auto at = all.rbegin(); at != all.rend(); ++at) take(*at);
  } else {
    for (const auto& entry : all) take(entry);
  }
}

std::uint64_t Index::keys() const noexcept {
  const std::shared_lock lock(mutex_);
  return tree_.size();
}

std::uint64_t Index::memory_bytes() const noexcept {
  const std::shared_lock lock(mutex_);
  return tree_.size() * 128;
}

}  // namespace weir::kv
