// Looking into a store that nobody has open for writing: its records and its files. Nothing is
// changed, but by RebuildHints. What is damaged is passed over and told of.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weir/kv/repair.h"
#include "weir/kv/vfs.h"
#include "weir/status.h"

namespace weir::kv {

// A put or a delete, where it lies.
struct StoredRecord {
  std::uint64_t fid = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // of the whole record
  std::uint64_t seq = 0;
  bool deletes = false;
  bool in_batch = false;
  std::uint64_t expiry_ms = 0;  // 0: never
  std::string_view key;         // until the callback returns
  std::string_view value;       // the same
};

struct RecordQuery {
  std::shared_ptr<Vfs> vfs{};  // null: PosixVfs()
  // True: only the newest put of each key, if no delete is newer, in the order of keys; needs
  // memory for all keys. False: every record, in the order of segments and offsets.
  bool newest_only = true;
  std::string prefix{};                // of keys
  std::optional<std::uint64_t> fid{};  // only what lies in this segment
};
// Gives the records to `take`. The result: what could not be read.
Result<std::vector<DamagedPlace>> ReadRecords(const std::string& directory,
                                              const RecordQuery& query,
                                              const std::function<void(const StoredRecord&)>& take);

enum class HintState : std::uint8_t { kNone, kGood, kBad };

struct InspectedSegment {
  std::uint64_t fid = 0;
  bool merged = false;  // written by a merge; else by commits
  bool sealed = false;
  std::uint64_t bytes = 0;
  std::uint64_t live_bytes = 0;  // of records that are the newest of their keys
  std::uint64_t records = 0;
  std::uint64_t min_seq = 0;  // of the records; 0: there are none
  std::uint64_t max_seq = 0;
  HintState hint = HintState::kNone;
};

struct Inspection {
  std::string store_id;
  std::uint64_t keys = 0;  // expired ones that are still there, too
  std::uint64_t last_seq = 0;
  std::uint64_t first_change = 0;   // the change feed goes back to this commit
  std::uint64_t time_floor_ms = 0;  // keys that had expired by then are gone for good
  std::uint64_t next_fid = 0;
  std::uint64_t dropped_segments = 0;  // that MANIFEST remembers
  std::uint64_t manifest_bytes = 0;
  std::vector<InspectedSegment> segments;  // in the order of fids
  std::vector<DamagedPlace> damaged;
};
Result<Inspection> InspectDirectory(const std::string& directory,
                                    std::shared_ptr<Vfs> vfs = nullptr);

// Writes the hint of every closed segment anew, from its records. Returns how many.
Result<std::uint64_t> RebuildHints(
    const std::string& directory, std::shared_ptr<Vfs> vfs = nullptr,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress = {});

}  // namespace weir::kv
