// The live segments: what is known of each, how much of it is in use, and how to read it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "epoch.h"
#include "location.h"
#include "read_buffer.h"
#include "record.h"
#include "segment_files.h"
#include "segment_header.h"
#include "snapshots.h"
#include "weir/kv/options.h"

namespace weir::kv {

// What does not change about a closed segment.
struct SegmentFacts {
  std::uint64_t fid = 0;
  SegmentKind kind = SegmentKind::kLog;
  std::uint64_t length = 0;        // bytes of the file
  std::uint32_t crc = 0;           // the segment CRC
  std::uint64_t min_seq = kNoSeq;  // of its records; kNoSeq, 0: it has none
  std::uint64_t max_seq = 0;
  // Of records that say a key is deleted, as far as it is known: garbage that only a merge together
  // with all older segments can free.
  std::uint64_t tombstone_bytes = 0;

  static constexpr std::uint64_t kNoSeq = ~std::uint64_t{0};
};

// One live segment. Thread-safe.
class Segment {
 public:
  Segment(std::uint64_t fid, SegmentKind kind, std::uint32_t slot)
      : fid_(fid), kind_(kind), slot_(slot), seed_(SegmentSeed(fid)) {}

  std::uint64_t fid() const noexcept { return fid_; }
  SegmentKind kind() const noexcept { return kind_; }
  std::uint32_t slot() const noexcept { return slot_; }
  Crc32c seed() const noexcept { return seed_; }  // SegmentSeed
  bool sealed() const noexcept { return sealed_.load(std::memory_order_acquire); }
  const SegmentFacts& facts() const noexcept { return facts_; }  // only when sealed()
  // Bytes of records that the index names. Below zero for a moment while writes are published.
  std::int64_t live_bytes() const noexcept { return live_.load(std::memory_order_relaxed); }

  // Its bytes, up to its length, if they are mapped; else null. As long as the segment.
  const char* mapped() const noexcept { return mapped_.load(std::memory_order_acquire); }

  // The record there, if it is mapped as a whole.
  bool Mapped(const Location& location, std::string_view* bytes) const noexcept {
    const char* mapped = this->mapped();
    if (mapped == nullptr || location.offset + location.size > facts_.length) return false;
    *bytes = {mapped + location.offset, location.size};
    return true;
  }

  // With the pin under which it was found: keeps it beyond the pin, until Release.
  void Keep() noexcept { keepers_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept { keepers_.fetch_sub(1, std::memory_order_release); }

 private:
  friend class SegmentTable;
  // What every read looks at, and nothing that changes often.
  const std::uint64_t fid_;
  const SegmentKind kind_;
  const std::uint32_t slot_;
  const Crc32c seed_;
  std::atomic<bool> sealed_{false};
  std::atomic<bool> unmappable_{false};
  std::atomic<const char*> mapped_{nullptr};
  SegmentFile file_;
  SegmentFacts facts_;
  std::unique_ptr<Mapping> mapping_;  // of mapped_
  // What writers change.
  alignas(64) std::atomic<std::int64_t> live_{0};
  std::atomic<std::int64_t> keepers_{0};
};

// Thread-safe. Closed segments are read through a mapping that is made at the first read, or by
// system calls (Options::read_path, and where mapping fails); the active one by system calls.
// Reading takes no lock and writes to no memory that is shared.
class SegmentTable final : public SegmentUsage {
 public:
  SegmentTable(Vfs& vfs, std::string directory, const Options& options, Epochs& epochs);
  ~SegmentTable() override;

  // The segment that is written to from now on; read through `file`.
  std::shared_ptr<Segment> AddActive(std::uint64_t fid, std::shared_ptr<File> file);
  // The active segment is closed; `file` of AddActive is not needed any more.
  void Seal(const SegmentFacts& facts);
  // `sealed` is called after every Seal from now on, on its thread. Before the first Seal.
  void SetSealListener(std::function<void()> sealed) { seal_listener_ = std::move(sealed); }
  // A closed segment, whose file has at least the length that `facts` says.
  std::shared_ptr<Segment> AddSealed(const SegmentFacts& facts);

  // `fid` is not in MANIFEST any more, and the index does not name it. Readers that are pinned now
  // and snapshots with an id below `next_snapshot` may still read it; when they are gone, Reclaim
  // removes its files (data and hint) and its slot may be used again.
  void Drop(std::uint64_t fid, SnapshotId next_snapshot);
  // Removes what can be removed now; to be called again and again while dropped() is not 0.
  void Reclaim(const Snapshots& snapshots);
  std::size_t dropped() const;  // waiting for Reclaim

  // The segment in a slot. With a pin of Epochs under which the slot was found, or after Keep.
  Segment* at(std::uint32_t slot) const noexcept {
    return (*chunks_[slot / kChunk].load(std::memory_order_acquire))[slot % kChunk].load(
        std::memory_order_acquire);
  }
  // All in the order of their fids, the active one last. Holding one keeps its files.
  std::vector<std::shared_ptr<Segment>> List() const;
  std::shared_ptr<Segment> Find(std::uint64_t fid) const;  // null: none

  // Reads all `size` bytes of the record at `location`: a view of the mapping, or of `buffer`,
  // which it is then read into. With a pin, or a snapshot, under which the location was found; the
  // view is valid while that lives and `buffer` is not used for anything else. DATA_LOSS if the
  // file is shorter. UNAVAILABLE if there is no file descriptor to be had: end the pin, call
  // MakeRoom, find the location again.
  Status Read(const Location& location, ReadBuffer& buffer, std::string_view* bytes) const {
    return Read(*at(location.slot), location, buffer, bytes);
  }
  Status Read(Segment& segment, const Location& location, ReadBuffer& buffer,
              std::string_view* bytes) const {
    if (segment.Mapped(location, bytes)) [[likely]]
      return {};
    return ReadUnmapped(segment, location, buffer, bytes);
  }
  // Bytes of a segment as they are in its file, whatever they are: at most `size` from `offset` on,
  // fewer at its end. For those who read more than one record at a time. Else as Read.
  Status ReadAt(Segment& segment, std::uint64_t offset, std::size_t size, ReadBuffer& buffer,
                std::string_view* bytes) const;
  // Closes files that are not read, so that others can be opened; waits a moment if there is none.
  void MakeRoom() const { files_.MakeRoom(); }

  std::string PathOf(std::uint64_t fid) const { return directory_ + "/" + SegmentName(fid); }
  std::size_t open_files() const { return files_.open_files(); }
  void AddLive(std::uint32_t slot, std::int64_t bytes) override;

 private:
  struct Dropped {
    std::shared_ptr<Segment> segment;
    SnapshotId next_snapshot;
    std::uint64_t epoch = 0;  // its last readers came in that one or before; 0: snapshots have it
  };
  static constexpr std::size_t kChunk = 4096;  // slots; and of chunks as many
  using Chunk = std::array<std::atomic<Segment*>, kChunk>;

  std::shared_ptr<Segment> Insert(std::uint64_t fid, SegmentKind kind);  // mutex_ held
  std::vector<std::shared_ptr<Segment>> TakeUnused(const Snapshots& snapshots);
  Status ReadUnmapped(Segment& segment, const Location& location, ReadBuffer& buffer,
                      std::string_view* bytes) const;
  // Makes the mapping if the segment is one to be mapped; else, and if it cannot be made, leaves it
  // as it is.
  Status Map(Segment& segment) const;
  Status EndsInRecord(const Segment& segment, const Location& location) const;

  Vfs& vfs_;
  const std::string directory_;
  const Epochs& epochs_;
  const bool mapped_;  // the read path
  mutable SegmentFiles files_;
  mutable std::mutex map_mutex_;  // of making mappings
  mutable std::mutex mutex_;
  std::array<std::atomic<Chunk*>, kChunk> chunks_{};
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments_;  // by fid
  std::vector<Dropped> dropped_;
  std::function<void()> seal_listener_;
};

}  // namespace weir::kv
