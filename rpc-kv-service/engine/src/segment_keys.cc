#include "segment_keys.h"

#include <algorithm>
#include <cstring>

#include "key_prefix.h"

namespace weir::kv {

const char* SegmentKeys::Keep(std::string_view key) {
  constexpr std::size_t kChunk = 1 << 20;
  if (key.size() > free_size_) {
    free_size_ = std::max(kChunk, key.size());
    chunks_.emplace_back(new char[free_size_]);
    free_ = chunks_.back().get();
  }
  const char* kept = free_;
  if (!key.empty()) std::memcpy(free_, key.data(), key.size());
  free_ += key.size();
  free_size_ -= key.size();
  return kept;
}

void SegmentKeys::Add(const RunEntry& record) {
  records_.push_back({.prefix = KeyPrefix(record.key),
                      .key_data = Keep(record.key),
                      .seq = record.seq,
                      .offset = record.offset,
                      .size = record.size,
                      .key_size = static_cast<std::uint32_t>(record.key.size()) & 0x3fffffff,
                      .deleted = record.deleted,
                      .expires = record.expires});
}

bool SegmentKeys::Before(const Record& a, const Record& b) noexcept {
  if (a.prefix != b.prefix) return a.prefix < b.prefix;
  if (const int order = a.key().compare(b.key()); order != 0) return order < 0;
  if (a.seq != b.seq) return a.seq > b.seq;
  return a.offset > b.offset;
}

void SegmentKeys::Sort() {
  // Merged segments, and logs of ascending keys, are in order already.
  if (!std::is_sorted(records_.begin(), records_.end(), Before)) {
    std::sort(records_.begin(), records_.end(), Before);
  }
}

}  // namespace weir::kv
