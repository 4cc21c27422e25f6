// A leaf of the index: some keys in order and where their records lie, packed.
//
//     | Leaf | ends 2 x count, if the suffixes differ in size | prefix | suffixes | rows | slack |
//
// The prefix is what all keys begin with. A row is a location: offset, slot and size, each as the
// difference to a base of the leaf, in as many bytes as the largest needs. So keys of one size that
// are neighbours and were written one after the other take some 5 bytes each.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index_portion.h"
#include "location.h"
#include "node.h"

namespace weir::kv {

struct LeafChange;
struct LeafShape;

// Immutable.
class Leaf : public Node {
 public:
  static constexpr std::uint16_t kVariable = 0xffff;
  static constexpr unsigned kOffsetBits = 40;

  std::string_view prefix() const noexcept { return {Body() + EndsBytes(), prefix_size_}; }
  std::string_view suffix(std::size_t i) const noexcept {
    const char* suffixes = Suffixes();
    if (stride_ != kVariable) return {suffixes + i * stride_, stride_};
    const std::size_t begin = i == 0 ? 0 : End(i - 1);
    return {suffixes + begin, End(i) - begin};
  }
  std::size_t key_size(std::size_t i) const noexcept { return prefix_size_ + suffix(i).size(); }
  void AppendKey(std::size_t i, std::string& to) const {
    to.append(prefix());
    to.append(suffix(i));
  }
  Location location(std::size_t i) const noexcept {
    const char* row = Rows() + i * row_width();
    const std::uint64_t place = place_base_ + LowBytes(LoadWord(row), offset_width_);
    const std::uint64_t slot = LowBytes(LoadWord(row + offset_width_), slot_width_);
    const std::uint64_t size =
        size_base_ + LowBytes(LoadWord(row + offset_width_ + slot_width_), size_width_);
    Location location;
    location.slot = static_cast<std::uint32_t>((place >> kOffsetBits) + slot);
    location.size = static_cast<std::uint32_t>(size >> 1);
    location.offset = place & kOffsetMask;
    location.expires = (size & 1) != 0;
    return location;
  }

  // Appends the entries [from, to), at least one; in `reverse` order if asked for.
  void Collect(std::size_t from, std::size_t to, bool reverse, IndexPortion& out) const;

  // The first position whose key is not below `key`, from `from` on; `equal`: it is the key.
  std::size_t LowerBound(std::string_view key, bool* equal, std::size_t from = 0) const noexcept;

  // True if all its keys are below `key`; false if it is not sure.
  bool EndsBelow(std::string_view key) const noexcept;

  // True if the key could be put in as the leaf is packed: it begins with the prefix, has the size
  // of the others, and the location is within reach of the bases.
  bool Fits(std::string_view key) const noexcept {
    return key.size() >= prefix_size_ &&
           (stride_ == kVariable || key.size() - prefix_size_ == stride_) &&
           CompareBytes(key.data(), prefix().data(), prefix_size_) == 0;
  }
  bool Fits(const Location& location) const noexcept;
  // Writes a row, and then rubbish of up to kNodeSlack bytes: rows are written in ascending order.
  void StoreRow(char* row, const Location& location) const noexcept;

  bool variable() const noexcept { return stride_ == kVariable; }
  std::size_t row_width() const noexcept {
    return std::size_t{offset_width_} + slot_width_ + size_width_;
  }
  std::size_t suffix_bytes() const noexcept {
    return stride_ != kVariable ? std::size_t{count} * stride_ : End(count - 1u);
  }
  // Of a leaf in which all is packed like this.
  static std::size_t BytesFor(std::size_t count, bool variable, std::size_t prefix,
                              std::size_t suffixes, std::size_t row_width) noexcept {
    return sizeof(Leaf) + (variable ? 2 * count : 0) + prefix + suffixes + count * row_width +
           kNodeSlack;
  }

 private:
  friend class LeafEntries;
  friend class LeafPart;
  friend Leaf* Rewrite(const Leaf& leaf, std::span<const LeafChange> changes, void* memory);
  friend Leaf* Rewrite(const Leaf& leaf, const LeafChange& change, std::size_t bytes, void* memory);
  static constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << kOffsetBits) - 1;

  // The head of a leaf of that shape.
  static Leaf* Start(std::size_t count, const LeafShape& shape, void* memory) noexcept;
  std::size_t FixedLowerBound(std::string_view rest, bool* equal, std::size_t from) const noexcept;
  std::size_t AnyLowerBound(std::string_view rest, bool* equal, std::size_t from) const noexcept;
  // Those of entries `first`, `first` + `step`, ...
  void CollectLocations(std::size_t first, std::ptrdiff_t step, std::size_t keys,
                        IndexPortion::Item* items) const noexcept;
  const char* Body() const noexcept { return reinterpret_cast<const char*>(this) + sizeof(Leaf); }
  char* Body() noexcept { return reinterpret_cast<char*>(this) + sizeof(Leaf); }
  std::size_t EndsBytes() const noexcept { return stride_ == kVariable ? 2u * count : 0u; }
  const char* Suffixes() const noexcept { return Body() + EndsBytes() + prefix_size_; }
  const char* Rows() const noexcept { return Suffixes() + suffix_bytes(); }
  std::size_t End(std::size_t i) const noexcept {
    std::uint16_t end;
    std::memcpy(&end, Body() + 2 * i, sizeof end);
    return end;
  }
  static void StoreEnd(char* ends, std::size_t i, std::size_t end) noexcept {
    const auto narrow = static_cast<std::uint16_t>(end);
    std::memcpy(ends + 2 * i, &narrow, sizeof narrow);
  }

  std::uint32_t prefix_size_;
  std::uint16_t stride_;  // size of each suffix, or kVariable
  std::uint8_t offset_width_;
  std::uint8_t slot_width_ : 4;
  std::uint8_t size_width_ : 4;
  std::uint64_t place_base_;  // slot, then 40 bits of offset
  std::uint64_t size_base_;   // of the record, then a bit: expires
};
static_assert(sizeof(Leaf) == 32);

// What happens to a key of a leaf.
struct LeafChange {
  std::size_t position;  // of the key, or of the one it comes before
  bool there;            // the leaf has the key
  bool erase;            // only if it is there
  std::string_view key;
  Location location;  // unless it is erased
};

// The same leaf with the changes, which are in order of keys, packed in the same way. Copies runs
// of bytes, and is what makes a change of one key cheap. RewrittenBytes is 0 if it cannot be done:
// keys or locations do not fit, or no key is left.
std::size_t RewrittenBytes(const Leaf& leaf, std::span<const LeafChange> changes) noexcept;
Leaf* Rewrite(const Leaf& leaf, std::span<const LeafChange> changes, void* memory);
// The same of one change; `bytes` is what RewrittenBytes has said.
std::size_t RewrittenBytes(const Leaf& leaf, const LeafChange& change) noexcept;
Leaf* Rewrite(const Leaf& leaf, const LeafChange& change, std::size_t bytes, void* memory);

// How keys and locations can be packed with as few bytes as possible.
struct LeafShape {
  std::size_t bytes;  // of the whole leaf
  std::size_t prefix;
  std::uint16_t stride;
  std::uint8_t offset_width;
  std::uint8_t slot_width;
  std::uint8_t size_width;
  std::uint64_t place_base;
  std::uint64_t size_base;
};

// The keys [from, to) of a leaf, at least one, as a leaf of their own: half of a split.
class LeafPart {
 public:
  // The leaf is not variable.
  LeafPart(const Leaf& leaf, std::size_t from, std::size_t to) noexcept;
  std::size_t bytes() const noexcept { return shape_.bytes; }
  // How a leaf of this key is made, if it goes on where this one ends: so that the next ones fit,
  // too. Nothing: it does not look as if they would.
  std::optional<LeafShape> ShapeOfNext(std::string_view key,
                                       const Location& location) const noexcept;
  // Makes the leaf in memory of that size, which lies at a multiple of 8.
  Leaf* Pack(void* memory) const noexcept;

 private:
  const Leaf& leaf_;
  const std::size_t from_;
  const std::size_t to_;
  LeafShape shape_;
  bool same_rows_ = false;  // as in the whole leaf
};

// Keys and locations in order, not packed: what leaves are made of when their packing changes.
// Memory is used again.
class LeafEntries {
 public:
  void Clear() noexcept {
    keys_.clear();
    ends_.clear();
    locations_.clear();
  }
  void Add(std::string_view key, const Location& location) {
    keys_.append(key);
    ends_.push_back(keys_.size());
    locations_.push_back(location);
  }
  // Entries of a leaf.
  void Add(const Leaf& leaf, std::size_t from, std::size_t to);

  std::size_t size() const noexcept { return ends_.size(); }
  std::string_view key(std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {keys_.data() + begin, ends_[i] - begin};
  }

  const Location& location(std::size_t i) const noexcept { return locations_[i]; }

  // How to make a leaf of the entries [from, to), at least one.
  LeafShape Measure(std::size_t from, std::size_t to) const noexcept;
  // Makes the leaf in memory of shape.bytes, which lies at a multiple of 8.
  Leaf* Pack(std::size_t from, std::size_t to, const LeafShape& shape, void* memory) const noexcept;

 private:
  std::string keys_;
  std::vector<std::size_t> ends_;  // in keys_
  std::vector<Location> locations_;
};

}  // namespace weir::kv
