// What a user can choose about a store.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weir/kv/clock.h"
#include "weir/kv/vfs.h"
#include "weir/status.h"

namespace weir::kv {

inline constexpr std::size_t kMaxKeySize = 64 * 1024;                     // bytes
inline constexpr std::size_t kMaxValueSize = 1024UL * 1024UL * 1024UL;    // bytes
inline constexpr std::uint64_t kMaxSegmentSize = std::uint64_t{1} << 40;  // bytes: 40-bit offsets

enum class SyncMode : std::uint8_t {
  kNone,  // the operating system decides; a crash of the machine may lose what was written last
  kEveryBytes,  // after every `bytes` written
  kInterval,    // at most `interval` after a write
  kAlways,      // before a write becomes visible and is acknowledged
};

// When written data is made durable. In every mode a commit survives a crash of the process once it
// is acknowledged; the modes differ in what a crash of the machine may take.
struct SyncPolicy {
  SyncMode mode = SyncMode::kAlways;
  std::uint64_t bytes = 4 << 20;             // for kEveryBytes
  std::chrono::milliseconds interval{1000};  // for kInterval

  friend bool operator==(const SyncPolicy&, const SyncPolicy&) = default;
};

// "none", "always", "bytes=1048576", "interval=250ms". INVALID_ARGUMENT names the four forms.
Result<SyncPolicy> ParseSyncPolicy(std::string_view text);
std::string ToString(const SyncPolicy& policy);

// How records of closed segments are read. Which is faster where: docs/kv-engine.md.
enum class ReadPath : std::uint8_t {
  kMapped,  // through a read-only mapping of the file
  kPread,   // by a system call for every record
};

// When old segments are rewritten without the records that nobody can see any more.
struct MergePolicy {
  bool automatic = true;
  // A segment is worth merging when at least this part of it is garbage, 0..1.
  double min_garbage = 0.3;
  // Automatic merges run when garbage is more than this part of all data, 0..1.
  double trigger = 0.2;
  // Most bytes a second that a merge reads and writes together; 0: no limit.
  std::uint64_t bytes_per_second = 48 << 20;
  // How often the statistics are looked at.
  std::chrono::milliseconds check_every{1000};
};

// When closed segments get their hints, which a start reads in their place. A clean close writes
// those that are missing, so only a start after a crash has to do without.
struct HintPolicy {
  // Hints are written when closed segments without one have more bytes than this and than an eighth
  // of all, ...
  std::uint64_t max_unhinted_bytes = 256 << 20;
  // ... and when they have more than a quarter of that and there was no commit for so long.
  std::chrono::milliseconds rest{1000};
};

// Reading old data again, in the background, to find damage while there is still a good copy.
struct ScrubPolicy {
  std::uint64_t bytes_per_second = 0;  // 0: no scrubbing
};

struct Options {
  bool create_if_missing = true;  // make the directory and an empty store if there is none
  // A directory that is a copy of a store is refused, because two stores of one identity would
  // both answer for the same keys. True says that the original is gone for good.
  bool adopt_copy = false;
  // Changes nothing in the directory and takes no writes. Several may read at a time, none beside a
  // writer. A torn tail is left where it is and not read.
  bool read_only = false;
  SyncPolicy sync{};
  MergePolicy merge{};
  HintPolicy hints{};
  ScrubPolicy scrub{};
  ReadPath read_path = ReadPath::kMapped;
  std::uint64_t value_cache_bytes = 0;  // of values kept in memory; 0: none
  // Snapshots (and scans) that live longer, or make the store remember more replaced places than
  // this, are given up: reading through them fails with ABORTED.
  std::chrono::milliseconds snapshot_ttl{std::chrono::minutes(10)};
  std::uint64_t snapshot_memory = 256 << 20;  // bytes
  std::uint32_t open_threads = 0;             // for reading hints at the start; 0: one a core
  std::uint64_t segment_size = 64 << 20;      // bytes; a file is closed for the next at this size
  // Most bytes of disk kept back so that deletes and merges can go on when the device is full: a
  // sixteenth of the data up to 256 KiB, from 128 MiB of data on a 512th; none while there is less
  // than 1 MiB. 0: none.
  std::uint64_t reserve_bytes = 4 << 20;
  std::uint64_t max_pending_bytes = 64 << 20;  // of writes waiting for their turn
  std::uint32_t max_open_files = 256;          // sealed segments kept open for reading
  std::shared_ptr<Vfs> vfs{};                  // null: PosixVfs()
  std::shared_ptr<Clock> clock{};              // null: SteadyClock()
};

// Per call: overrides the store's sync mode.
enum class Sync : std::uint8_t {
  kDefault,  // what the store's SyncPolicy says
  kNow,      // durable before visible and acknowledged
  kLater,    // acknowledged when written, also under SyncMode::kAlways
};

struct WriteOptions {
  Sync sync = Sync::kDefault;
  // Of Put: the key vanishes this long after the write; zero: never. In a batch: Put's own.
  std::chrono::milliseconds ttl{0};
};

class Snapshot;

struct ReadOptions {
  std::shared_ptr<const Snapshot> snapshot{};  // null: the newest state
};

// What Store::Merge rewrites.
struct MergeOptions {
  double min_garbage = 0;              // segments with at least this part of garbage, 0..1; 0: all
  std::uint64_t bytes_per_second = 0;  // 0: no limit
};

}  // namespace weir::kv
