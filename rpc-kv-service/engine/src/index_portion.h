// Ranges of the index, and what is found in them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "location.h"

namespace weir::kv {

// Some keys in the order of a scan, and where they lie. Memory is used again.
class IndexPortion {
 public:
  struct Item {
    std::size_t key_offset;
    std::size_t key_size;
    Location location;
  };
  void Clear() noexcept {
    keys_.clear();
    items_.clear();
  }
  void Add(std::string_view key, const Location& location) { Add(key, {}, location); }
  // A key in two parts.
  void Add(std::string_view prefix, std::string_view suffix, const Location& location) {
    items_.push_back({keys_.size(), prefix.size() + suffix.size(), location});
    keys_.append(prefix).append(suffix);
  }
  std::size_t size() const noexcept { return items_.size(); }
  std::string_view key(std::size_t i) const noexcept {
    return {keys_.data() + items_[i].key_offset, items_[i].key_size};
  }
  const Location& location(std::size_t i) const noexcept { return items_[i].location; }

 private:
  std::string keys_;
  std::vector<Item> items_;
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
