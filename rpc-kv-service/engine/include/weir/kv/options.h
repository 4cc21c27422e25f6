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

struct Options {
  bool create_if_missing = true;  // make the directory and an empty store if there is none
  // A directory that is a copy of a store is refused, because two stores of one identity would
  // both answer for the same keys. True says that the original is gone for good.
  bool adopt_copy = false;
  SyncPolicy sync{};
  std::uint64_t segment_size = 256 << 20;      // bytes; a file is closed for the next at this size
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
};

}  // namespace weir::kv
