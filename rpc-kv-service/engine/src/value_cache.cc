#include "value_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace weir::kv {
namespace {

constexpr std::uint64_t kBucketBytes = 1024;  // of memory, about

std::uint64_t HashOf(std::uint64_t fid, std::uint64_t offset) noexcept {
  std::uint64_t hash = (fid * 0x9e3779b97f4a7c15U) ^ offset;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93U;
  return hash ^ (hash >> 32);
}
// Never 0, which stands for none.
std::uint16_t TagOf(std::uint64_t hash) noexcept {
  return static_cast<std::uint16_t>((hash >> 48) | 1);
}

}  // namespace

// Followed by the bytes of key and value.
struct ValueCache::Entry {
  std::uint64_t fid;
  std::uint64_t offset;
  std::uint64_t seq;
  std::uint64_t expiry_ms;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::atomic<bool> used;

  char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }
  std::string_view key() noexcept { return {bytes(), key_size}; }
  std::string_view value() noexcept { return {bytes() + key_size, value_size}; }
  // With what the allocator adds.
  std::uint64_t size() const noexcept { return sizeof(Entry) + key_size + value_size + 16; }

  static Entry* Make(std::uint64_t fid, std::uint64_t offset, std::string_view key,
                     const RecordView& record) {
    void* memory = ::operator new(sizeof(Entry) + key.size() + record.value.size());
    auto* entry = new (memory) Entry{fid,
                                     offset,
                                     record.seq,
                                     record.expiry_ms,
                                     static_cast<std::uint32_t>(key.size()),
                                     static_cast<std::uint32_t>(record.value.size()),
                                     {false}};
    std::copy(key.begin(), key.end(), entry->bytes());
    std::copy(record.value.begin(), record.value.end(), entry->bytes() + key.size());
    return entry;
  }
  static void Destroy(void* entry) {
    static_cast<Entry*>(entry)->~Entry();
    ::operator delete(entry);
  }
};

ValueCache::ValueCache(Epochs& epochs, std::uint64_t bytes) : epochs_(epochs) {
  if (bytes < kBucketBytes) return;
  const std::uint64_t count = std::bit_floor(bytes / kBucketBytes);
  mask_ = count - 1;
  budget_ = bytes / count - sizeof(Bucket);
  buckets_ = std::make_unique<Bucket[]>(count);
}

ValueCache::~ValueCache() {
  for (std::uint64_t i = 0; budget_ != 0 && i <= mask_; ++i) {
    for (const auto& way : buckets_[i].ways) {
      if (Entry* entry = way.load(); entry != nullptr) Entry::Destroy(entry);
    }
  }
}

ValueCache::Counters& ValueCache::Mine() noexcept {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads.fetch_add(1, std::memory_order_relaxed);
  return counters_[mine % counters_.size()];
}

bool ValueCache::Find(std::uint64_t fid, std::uint64_t offset, std::string_view key,
                      RecordView* record) {
  const std::uint64_t hash = HashOf(fid, offset);
  const std::uint16_t tag = TagOf(hash);
  Bucket& bucket = BucketOf(hash);
  for (std::size_t way = 0; way < kWays; ++way) {
    if (bucket.tags[way].load(std::memory_order_relaxed) != tag) continue;
    Entry* entry = bucket.ways[way].load(std::memory_order_acquire);
    if (entry == nullptr || entry->offset != offset || entry->fid != fid || entry->key() != key) {
      continue;
    }
    if (!entry->used.load(std::memory_order_relaxed)) {
      entry->used.store(true, std::memory_order_relaxed);
    }
    *record = {.value = entry->value(), .seq = entry->seq, .expiry_ms = entry->expiry_ms};
    Mine().hits.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  Mine().misses.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void ValueCache::Add(std::uint64_t fid, std::uint64_t offset, std::string_view key,
                     const RecordView& record) {
  const std::uint64_t hash = HashOf(fid, offset);
  const std::uint16_t tag = TagOf(hash);
  Bucket& bucket = BucketOf(hash);
  // Nobody waits: the next who misses it adds it.
  if (bucket.locked.exchange(true, std::memory_order_acquire)) return;
  const bool here = std::any_of(bucket.tags.begin(), bucket.tags.end(), [&](const auto& other) {
    return other.load(std::memory_order_relaxed) == tag;
  });
  if (!here && SeenBefore(bucket, tag)) Put(bucket, tag, Entry::Make(fid, offset, key, record));
  bucket.locked.store(false, std::memory_order_release);
}

bool ValueCache::SeenBefore(Bucket& bucket, std::uint16_t tag) noexcept {
  for (auto& seen : bucket.seen) {
    if (seen.load(std::memory_order_relaxed) != tag) continue;
    seen.store(0, std::memory_order_relaxed);
    return true;
  }
  bucket.seen[bucket.seen_hand++ % kSeen].store(tag, std::memory_order_relaxed);
  return false;
}

void ValueCache::Put(Bucket& bucket, std::uint16_t tag, Entry* entry) {
  std::uint64_t used = entry->size();
  std::size_t count = 0;
  for (const auto& way : bucket.ways) {
    if (const Entry* other = way.load(std::memory_order_relaxed); other != nullptr) {
      used += other->size();
      ++count;
    }
  }
  // One that was used since the hand came by last stays for another round.
  while (count == kWays || (used > budget_ && count > 0)) {
    const std::size_t way = bucket.hand++ % kWays;
    Entry* other = bucket.ways[way].load(std::memory_order_relaxed);
    if (other == nullptr || other->used.exchange(false, std::memory_order_relaxed)) continue;
    used -= other->size();
    --count;
    Evict(bucket, way);
  }
  for (std::size_t way = 0; way < kWays; ++way) {
    if (bucket.ways[way].load(std::memory_order_relaxed) != nullptr) continue;
    bucket.ways[way].store(entry, std::memory_order_release);
    bucket.tags[way].store(tag, std::memory_order_release);
    return;
  }
}

void ValueCache::Evict(Bucket& bucket, std::size_t way) {
  Entry* entry = bucket.ways[way].exchange(nullptr, std::memory_order_acq_rel);
  bucket.tags[way].store(0, std::memory_order_relaxed);
  epochs_.Retire(entry, &Entry::Destroy);
}

std::uint64_t ValueCache::hits() const noexcept {
  std::uint64_t sum = 0;
  for (const Counters& counters : counters_) sum += counters.hits.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t ValueCache::misses() const noexcept {
  std::uint64_t sum = 0;
  for (const Counters& counters : counters_) sum += counters.misses.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t ValueCache::bytes() const {
  if (budget_ == 0) return 0;
  const auto pin = epochs_.Enter();
  std::uint64_t sum = (mask_ + 1) * sizeof(Bucket);
  for (std::uint64_t i = 0; i <= mask_; ++i) {
    for (const auto& way : buckets_[i].ways) {
      if (const Entry* entry = way.load(std::memory_order_acquire); entry != nullptr) {
        sum += entry->size();
      }
    }
  }
  return sum;
}

}  // namespace weir::kv
