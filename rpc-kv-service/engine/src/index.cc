#include "index.h"

#include <xxhash.h>

#include <algorithm>
#include <mutex>
#include <tuple>

namespace weir::kv {
namespace {

bool Newer(const Version& a, const Version& b) {
  return std::tie(a.seq, a.location.fid, a.location.offset) >
         std::tie(b.seq, b.location.fid, b.location.offset);
}

// True if some snapshot sees the version `seq`, which `next_seq` replaced.
bool Seen(std::span<const std::uint64_t> snapshots, std::uint64_t seq, std::uint64_t next_seq) {
  const auto first = std::lower_bound(snapshots.begin(), snapshots.end(), seq);
  return first != snapshots.end() && *first < next_seq;
}

}  // namespace

std::size_t Index::ShardOf(std::string_view key) noexcept {
  return XXH3_64bits(key.data(), key.size()) >> 60;
}

void Index::Account(const Version* old_version, const Version& new_version) noexcept {
  const std::uint64_t old_key = old_version != nullptr && !old_version->deleted ? 1 : 0;
  const std::uint64_t new_key = new_version.deleted ? 0 : 1;
  const std::uint64_t old_bytes = old_key != 0 ? old_version->location.size : 0;
  const std::uint64_t new_bytes = new_key != 0 ? new_version.location.size : 0;
  if (old_key != new_key) keys_.fetch_add(new_key - old_key, std::memory_order_relaxed);
  live_bytes_.fetch_add(new_bytes - old_bytes, std::memory_order_relaxed);
}

void Index::Load(std::string_view key, const Version& version) {
  Shard& shard = shards_[ShardOf(key)];
  const std::unique_lock lock(shard.mutex);
  const auto at = shard.slots.lower_bound(key);
  if (at == shard.slots.end() || at->first != key) {
    shard.slots.emplace_hint(at, std::string(key), Slot{version, nullptr});
    Account(nullptr, version);
  } else if (Newer(version, at->second.version)) {
    Account(&at->second.version, version);
    at->second.version = version;
  }
}

void Index::FinishLoad() {
  for (Shard& shard : shards_) {
    const std::unique_lock lock(shard.mutex);
    std::erase_if(shard.slots, [](const auto& slot) { return slot.second.version.deleted; });
  }
}

void Index::Apply(std::string_view key, const Version& version,
                  std::span<const std::uint64_t> snapshots) {
  Shard& shard = shards_[ShardOf(key)];
  const std::unique_lock lock(shard.mutex);
  const auto at = shard.slots.lower_bound(key);
  if (at == shard.slots.end() || at->first != key) {
    if (version.deleted) return;
    shard.slots.emplace_hint(at, std::string(key), Slot{version, nullptr});
    Account(nullptr, version);
    return;
  }
  Slot& slot = at->second;
  Account(&slot.version, version);
  const bool had_history = slot.older != nullptr;
  if (had_history || Seen(snapshots, slot.version.seq, version.seq)) {
    slot.older = std::make_unique<OldVersion>(OldVersion{slot.version, std::move(slot.older)});
    slot.version = version;
    Trim(slot, snapshots);
    if (!had_history && slot.older != nullptr) {
      shard.with_history.emplace_back(key);
      histories_.fetch_add(1, std::memory_order_relaxed);
    }
  } else {
    slot.version = version;
  }
  // A key that Prune still has to look at is erased there.
  if (version.deleted && slot.older == nullptr && !had_history) shard.slots.erase(at);
}

void Index::Trim(Slot& slot, std::span<const std::uint64_t> snapshots) {
  std::uint64_t next_seq = slot.version.seq;
  std::unique_ptr<OldVersion>* link = &slot.older;
  while (*link != nullptr) {
    if (Seen(snapshots, (*link)->version.seq, next_seq)) {
      next_seq = (*link)->version.seq;
      link = &(*link)->older;
    } else {
      *link = std::move((*link)->older);
    }
  }
}

std::optional<Location> Index::Find(std::string_view key) const {
  const Shard& shard = shards_[ShardOf(key)];
  const std::shared_lock lock(shard.mutex);
  const auto at = shard.slots.find(key);
  if (at == shard.slots.end() || at->second.version.deleted) return std::nullopt;
  return at->second.version.location;
}

bool Index::Collect(std::size_t shard_number, std::string_view start, bool skip_start,
                    std::string_view end, std::uint64_t snapshot, std::size_t most,
                    std::vector<IndexEntry>& out) const {
  const Shard& shard = shards_[shard_number];
  const std::shared_lock lock(shard.mutex);
  auto at = skip_start ? shard.slots.upper_bound(start) : shard.slots.lower_bound(start);
  for (; at != shard.slots.end() && (end.empty() || at->first < end); ++at) {
    const Version* version = &at->second.version;
    const OldVersion* older = at->second.older.get();
    while (version != nullptr && version->seq > snapshot) {
      version = older != nullptr ? &older->version : nullptr;
      older = older != nullptr ? older->older.get() : nullptr;
    }
    if (version == nullptr || version->deleted) continue;
    if (most-- == 0) return true;
    out.push_back({at->first, *version});
  }
  return false;
}

void Index::Prune(std::span<const std::uint64_t> snapshots) {
  if (histories_.load(std::memory_order_relaxed) == 0) return;
  for (Shard& shard : shards_) {
    const std::unique_lock lock(shard.mutex);
    std::erase_if(shard.with_history, [&](const std::string& key) {
      // Absent: deleted again since; then it was listed twice, or had no history left.
      if (const auto at = shard.slots.find(key); at != shard.slots.end()) {
        Trim(at->second, snapshots);
        if (at->second.older != nullptr) return false;
        if (at->second.version.deleted) shard.slots.erase(at);
      }
      histories_.fetch_sub(1, std::memory_order_relaxed);
      return true;
    });
  }
}

}  // namespace weir::kv
