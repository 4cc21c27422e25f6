// The live segments: what is known of each, how much of it is in use, and how to read it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <map>
#include "epoch.h"
#include "location.h"
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

// One live segment. Counters: any threads.
class Segment {
 public:
  Segment(std::uint64_t fid, SegmentKind kind, std::uint32_t slot)
      : fid_(fid), kind_(kind), slot_(slot) {}

  std::uint64_t fid() const noexcept { return fid_; }
  SegmentKind kind() const noexcept { return kind_; }
  std::uint32_t slot() const noexcept { return slot_; }
  bool sealed() const noexcept { return sealed_.load(std::memory_order_acquire); }
  const SegmentFacts& facts() const noexcept { return facts_; }  // only when sealed()
  // Bytes of records that the index names. Below zero for a moment while writes are published.
  std::int64_t live_bytes() const noexcept { return live_.load(std::memory_order_relaxed); }

 private:
  friend class SegmentTable;
  const std::uint64_t fid_;
  const SegmentKind kind_;
  const std::uint32_t slot_;
  SegmentFacts facts_;
  std::atomic<bool> sealed_{false};
  std::atomic<std::int64_t> live_{0};
};

// Thread-safe.
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
  // A closed segment.
  std::shared_ptr<Segment> AddSealed(const SegmentFacts& facts);

  // `fid` is not in MANIFEST any more, and the index does not name it. Readers that are pinned now
  // and snapshots with an id below `next_snapshot` may still read it; when they are gone, Reclaim
  // removes its files (data and hint) and its slot may be used again.
  void Drop(std::uint64_t fid, SnapshotId next_snapshot);
  void Reclaim(const Snapshots& snapshots);
  std::size_t dropped() const;  // waiting for Reclaim

  // The segment in a slot. With a pin of Epochs, or a snapshot, and a slot that was found under it.
  Segment* at(std::uint32_t slot) const noexcept;
  // All in the order of their fids, the active one last. Holding one keeps its files.
  std::vector<std::shared_ptr<Segment>> List() const;
  std::shared_ptr<Segment> Find(std::uint64_t fid) const;  // null: none

  // Reads all `size` bytes of the record at `location`: a view of the mapping, or of `buffer`,
  // which it is then read into. Valid while the pin or snapshot under which the location was found
  // lives and `buffer` is not changed. DATA_LOSS if the file is shorter.
  Status Read(const Location& location, std::string& buffer, std::string_view* bytes) const;

  std::string PathOf(std::uint64_t fid) const { return directory_ + "/" + SegmentName(fid); }
  std::size_t open_files() const { return files_.open_files(); }
  void AddLive(std::uint32_t slot, std::int64_t bytes) override;

 private:
  struct Dropped {
    std::shared_ptr<Segment> segment;
    SnapshotId next_snapshot;
  };
  static constexpr std::size_t kChunk = 4096;  // slots; and of chunks as many
  using Chunk = std::array<std::atomic<Segment*>, kChunk>;

  std::shared_ptr<Segment> Insert(std::uint64_t fid, SegmentKind kind);  // mutex_ held

  Vfs& vfs_;
  const std::string directory_;
  Epochs& epochs_;
  mutable SegmentFiles files_;
  mutable std::mutex mutex_;
  std::array<std::atomic<Chunk*>, kChunk> chunks_{};
  std::vector<std::uint32_t> free_slots_;
  std::uint32_t next_slot_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments_;  // by fid
  std::vector<Dropped> dropped_;
  std::function<void()> seal_listener_;
};

}  // namespace weir::kv
