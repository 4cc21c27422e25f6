// The index: every key's newest version and where its record lies. In memory, ordered, in shards
// chosen by the XXH3 hash of the key; each shard has its own lock and a scan merges the shards.
//
// Versions that a newer one has replaced are kept only while a live snapshot can still see them.
// The rest of the engine depends on the member functions below alone, so another representation
// can take this one's place.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::kv {

// Where a record lies.
struct Location {
  std::uint64_t fid = 0;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;  // of the whole record

  friend bool operator==(const Location&, const Location&) = default;
};

struct Version {
  Location location;
  std::uint64_t seq = 0;
  bool deleted = false;
};

struct IndexEntry {
  std::string key;
  Version version;
};

// Reads may run from any threads at any time. Apply, Load, FinishLoad and Prune are for one thread
// at a time.
class Index {
 public:
  static constexpr std::size_t kShards = 16;

  // While loading: the version with the highest (seq, fid, offset) wins, in whatever order they
  // come. FinishLoad then forgets the deleted keys.
  void Load(std::string_view key, const Version& version);
  void FinishLoad();

  // A commit: `version` is newer than all the key has. `snapshots` are the live ones, ascending.
  void Apply(std::string_view key, const Version& version,
             std::span<const std::uint64_t> snapshots);

  // The newest version, unless the key is absent or deleted.
  std::optional<Location> Find(std::string_view key) const;

  // Appends to `out` up to `most` keys of one shard that exist in the snapshot, in order, from
  // `start` on (behind it, if `skip_start`), below `end` (empty: no end). True if there may be
  // more.
  bool Collect(std::size_t shard, std::string_view start, bool skip_start, std::string_view end,
               std::uint64_t snapshot, std::size_t most, std::vector<IndexEntry>& out) const;

  // Forgets the versions that none of these snapshots can see.
  void Prune(std::span<const std::uint64_t> snapshots);

  std::uint64_t keys() const noexcept { return keys_.load(std::memory_order_relaxed); }
  std::uint64_t live_bytes() const noexcept { return live_bytes_.load(std::memory_order_relaxed); }

 private:
  struct OldVersion {
    Version version;
    std::unique_ptr<OldVersion> older;
  };
  struct Slot {
    Version version;
    std::unique_ptr<OldVersion> older;  // newest first; only what snapshots can see
  };
  struct Shard {
    mutable std::shared_mutex mutex;
    std::map<std::string, Slot, std::less<>> slots;
    std::vector<std::string> with_history;  // keys to look at in Prune
  };

  static std::size_t ShardOf(std::string_view key) noexcept;
  static void Trim(Slot& slot, std::span<const std::uint64_t> snapshots);
  void Account(const Version* old_version, const Version& new_version) noexcept;

  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> keys_{0};
  std::atomic<std::uint64_t> live_bytes_{0};
  std::atomic<std::uint64_t> histories_{0};
};

}  // namespace weir::kv
