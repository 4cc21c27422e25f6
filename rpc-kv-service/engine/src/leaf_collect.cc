// Leaves being read as a whole, for scans.
#include "index_portion.h"
#include "packed_leaf.h"

namespace weir::kv {
namespace {

// Copies word by word: up to 7 bytes more than asked for, which both sides have room for.
void CopyWords(char* to, const char* from, std::size_t size) noexcept {
  constexpr std::size_t kFew = 48;  // bytes; a call is faster from there on
  if (size > kFew) {
    std::memcpy(to, from, size);
    return;
  }
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = LoadWord(from + i);
    std::memcpy(to + i, &word, sizeof word);
  }
}

// Puts the prefix and the suffix of each key together. `suffix_of(n)` is that of the n-th key.
template <class SuffixOf, class Copy>
void CollectKeys(std::string_view prefix, std::size_t count, const IndexPortion::Room& room,
                 SuffixOf suffix_of, Copy copy) {
  const std::size_t prefix_size = prefix.size();
  const bool is_short = prefix_size <= 8;
  const std::uint64_t word = LoadWord(prefix.data());
  char* key = room.keys;
  for (std::size_t n = 0; n < count; ++n) {
    const std::string_view suffix = suffix_of(n);
    if (is_short) {
      std::memcpy(key, &word, sizeof word);
    } else {
      CopyWords(key, prefix.data(), prefix_size);
    }
    copy(key + prefix_size, suffix);
    room.items[n].key_offset = room.key_offset + static_cast<std::uint32_t>(key - room.keys);
    room.items[n].key_size = static_cast<std::uint32_t>(prefix_size + suffix.size());
    key += prefix_size + suffix.size();
  }
}

}  // namespace

static_assert(IndexPortion::kSlack >= 8 && kNodeSlack >= 8);

void Leaf::Collect(std::size_t from, std::size_t to, bool reverse, IndexPortion& out) const {
  const std::size_t keys = to - from;
  const std::ptrdiff_t step = reverse ? -1 : 1;
  const std::size_t first = reverse ? to - 1 : from;
  if (variable()) {
    const std::size_t begin = from == 0 ? 0 : End(from - 1);
    const IndexPortion::Room room = out.Extend(keys, keys * prefix_size_ + End(to - 1) - begin);
    CollectKeys(
        prefix(), keys, room,
        [&](std::size_t n) { return suffix(reverse ? to - 1 - n : from + n); },
        [](char* key, std::string_view suffix) { CopyWords(key, suffix.data(), suffix.size()); });
    return CollectLocations(first, step, keys, room.items);
  }
  const std::size_t stride = stride_;
  const IndexPortion::Room room = out.Extend(keys, keys * (prefix_size_ + stride));
  const char* const suffixes = Suffixes() + first * stride;
  const std::ptrdiff_t suffix_step = step * static_cast<std::ptrdiff_t>(stride);
  const auto suffix_of = [=](std::size_t n) {
    return std::string_view(suffixes + static_cast<std::ptrdiff_t>(n) * suffix_step, stride);
  };
  if (stride >= 8 && stride <= 16) {
    CollectKeys(prefix(), keys, room, suffix_of, [stride](char* key, std::string_view suffix) {
      std::memcpy(key, suffix.data(), 8);
      std::memcpy(key + stride - 8, suffix.data() + stride - 8, 8);
    });
  } else {
    CollectKeys(prefix(), keys, room, suffix_of, [](char* key, std::string_view suffix) {
      CopyWords(key, suffix.data(), suffix.size());
    });
  }
  CollectLocations(first, step, keys, room.items);
}

void Leaf::CollectLocations(std::size_t first, std::ptrdiff_t step, std::size_t keys,
                            IndexPortion::Item* items) const noexcept {
  const std::size_t width = row_width();
  if (width >= 8) {
    for (std::size_t n = 0; n < keys; ++n, first += static_cast<std::size_t>(step)) {
      items[n].location = location(first);
    }
    return;
  }
  // All of a row is in one word.
  const unsigned slot_at = 8u * offset_width_;
  const unsigned size_at = slot_at + 8u * slot_width_;
  const std::uint64_t offset_mask = LowBytes(~std::uint64_t{0}, offset_width_);
  const std::uint64_t slot_mask = LowBytes(~std::uint64_t{0}, slot_width_);
  const std::uint64_t size_mask = LowBytes(~std::uint64_t{0}, size_width_);
  const std::uint64_t place_base = place_base_;
  const std::uint64_t size_base = size_base_;
  const char* row = Rows() + first * width;
  const std::ptrdiff_t row_step = step * static_cast<std::ptrdiff_t>(width);
  for (std::size_t n = 0; n < keys; ++n, row += row_step) {
    const std::uint64_t word = LoadWord(row);
    const std::uint64_t place = place_base + (word & offset_mask);
    const std::uint64_t size = size_base + (word >> size_at & size_mask);
    Location& location = items[n].location;
    location.slot =
        static_cast<std::uint32_t>((place >> kOffsetBits) + (word >> slot_at & slot_mask));
    location.size = static_cast<std::uint32_t>(size >> 1);
    location.offset = place & kOffsetMask;
    location.expires = (size & 1) != 0;
  }
}

}  // namespace weir::kv
