// Hot small values in memory, so that reading them needs neither a system call nor a CRC.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "epoch.h"
#include "record_reader.h"

namespace weir::kv {

// Keyed by fid and offset: what lies there never changes and fids are never used again, so nothing
// ever has to be invalidated. Thread-safe; Find is wait-free and writes to no memory that other
// readers need, but for a mark that is set once. A value is taken in when it is missed for the
// second time, so that a walk over many keys throws nothing out.
class ValueCache {
 public:
  // At most `bytes` of memory, all in, but for what waits for its last readers. 0: keeps nothing.
  ValueCache(Epochs& epochs, std::uint64_t bytes);
  ~ValueCache();  // nobody may be reading
  ValueCache(const ValueCache&) = delete;
  ValueCache& operator=(const ValueCache&) = delete;

  // True if records of this size are looked for: the others are not kept.
  bool Wants(std::uint32_t record_size) const noexcept {
    return budget_ != 0 && record_size <= kMostRecord;
  }
  // With a pin, until whose end the view is valid. False: it is not here.
  bool Find(std::uint64_t fid, std::uint64_t offset, std::string_view key, RecordView* record);
  // What Find has missed and the segment has told. With a pin.
  void Add(std::uint64_t fid, std::uint64_t offset, std::string_view key, const RecordView& record);

  std::uint64_t hits() const noexcept;
  std::uint64_t misses() const noexcept;
  std::uint64_t bytes() const;  // now; exact while nobody adds

 private:
  static constexpr std::uint32_t kMostRecord = 512;  // bytes
  static constexpr std::size_t kWays = 5;
  static constexpr std::size_t kSeen = 4;

  struct Entry;
  // One cache line.
  struct alignas(64) Bucket {
    std::array<std::atomic<Entry*>, kWays> ways{};
    std::array<std::atomic<std::uint16_t>, kWays> tags{};  // of the entries, to pass others by
    std::array<std::atomic<std::uint16_t>, kSeen> seen{};  // tags that were missed lately
    std::atomic<bool> locked{false};                       // by one who adds
    std::uint8_t hand = 0;                                 // of the clock over ways
    std::uint8_t seen_hand = 0;
  };
  struct alignas(64) Counters {
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};
  };

  Bucket& BucketOf(std::uint64_t hash) const noexcept { return buckets_[hash & mask_]; }
  static bool SeenBefore(Bucket& bucket, std::uint16_t tag) noexcept;
  void Put(Bucket& bucket, std::uint16_t tag, Entry* entry);  // bucket.locked by the caller
  void Evict(Bucket& bucket, std::size_t way);
  Counters& Mine() noexcept;

  Epochs& epochs_;
  std::uint64_t mask_ = 0;
  std::uint64_t budget_ = 0;  // bytes of entries in a bucket
  std::unique_ptr<Bucket[]> buckets_;
  std::array<Counters, 16> counters_;
};

}  // namespace weir::kv
