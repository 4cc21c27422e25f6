// Ranges of the index, and what is found in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "location.h"

namespace weir::kv {

// Some keys in the order of a scan, and where they lie; less than 4 GiB of keys. Memory is used
// again.
class IndexPortion {
 public:
  struct Item {
    std::uint32_t key_offset;
    std::uint32_t key_size;
    Location location;
  };
  // Room for more: `items` for so many, whose keys come one after the other from `keys` on, which
  // is at `key_offset`. Behind the last key kSlack bytes may be overwritten.
  struct Room {
    Item* items;
    char* keys;
    std::uint32_t key_offset;
  };
  static constexpr std::size_t kSlack = 8;

  void Clear() noexcept {
    size_ = 0;
    key_bytes_ = 0;
  }
  void Add(std::string_view key, const Location& location) {
    const Room room = Extend(1, key.size());
    if (!key.empty()) std::memcpy(room.keys, key.data(), key.size());
    *room.items = {room.key_offset, static_cast<std::uint32_t>(key.size()), location};
  }
  // `count` more keys of `key_bytes` in all, for the caller to fill in.
  Room Extend(std::size_t count, std::size_t key_bytes) {
    const std::size_t at = std::exchange(size_, size_ + count);
    const std::size_t key_offset = std::exchange(key_bytes_, key_bytes_ + key_bytes);
    if (size_ > items_.size()) items_.resize(std::max(size_, 2 * items_.size()));
    if (key_bytes_ + kSlack > keys_.size()) {
      keys_.resize(std::max(key_bytes_ + kSlack, 2 * keys_.size()));
    }
    return {items_.data() + at, keys_.data() + key_offset, static_cast<std::uint32_t>(key_offset)};
  }
  std::size_t size() const noexcept { return size_; }
  std::string_view key(std::size_t i) const noexcept {
    return {keys_.data() + items_[i].key_offset, items_[i].key_size};
  }
  const Location& location(std::size_t i) const noexcept { return items_[i].location; }

 private:
  // Only ever grow.
  std::vector<char> keys_;
  std::vector<Item> items_;
  std::size_t size_ = 0;       // of items_, in use
  std::size_t key_bytes_ = 0;  // of keys_, in use
};

// Which keys to collect: from the first that is >= start (> start with `behind_start`) on, and
// < end; empty `end`: no end. In reverse: from the last that is < end (no end: the last of all)
// down to start.
struct IndexRange {
  std::string_view start{};
  bool behind_start = false;
  std::string_view end{};
  bool reverse = false;
};

}  // namespace weir::kv
