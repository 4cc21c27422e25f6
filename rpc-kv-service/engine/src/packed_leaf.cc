#include "packed_leaf.h"

#include <algorithm>
#include <new>

namespace weir::kv {
namespace {

std::uint64_t SizeAndFlag(const Location& location) noexcept {
  return std::uint64_t{location.size} << 1 | (location.expires ? 1 : 0);
}

// True if value is base plus what fits into so many bytes.
bool Reaches(std::uint64_t base, unsigned width, std::uint64_t value) noexcept {
  return value >= base && value - base <= kMostIn[width];
}

}  // namespace

bool Leaf::Fits(const Location& location) const noexcept {
  return Reaches(place_base_ & kOffsetMask, offset_width_, location.offset) &&
         Reaches(place_base_ >> kOffsetBits, slot_width_, location.slot) &&
         Reaches(size_base_, size_width_, SizeAndFlag(location));
}

void Leaf::StoreRow(char* row, const Location& location) const noexcept {
  const auto store = [](char* to, std::uint64_t word) { std::memcpy(to, &word, sizeof word); };
  store(row, location.offset - (place_base_ & kOffsetMask));
  row += offset_width_;
  store(row, location.slot - (place_base_ >> kOffsetBits));
  store(row + slot_width_, SizeAndFlag(location) - size_base_);
}

bool Leaf::EndsBelow(std::string_view key) const noexcept {
  const std::string_view common = prefix();
  if (key.size() < common.size()) return false;
  const int order = CompareBytes(key.data(), common.data(), common.size());
  if (order != 0) return order > 0;
  const std::string_view rest = key.substr(common.size());
  const std::string_view last = suffix(count - 1u);
  const std::size_t shared = std::min(rest.size(), last.size());
  const int ends = CompareBytes(rest.data(), last.data(), shared);
  return ends != 0 ? ends > 0 : rest.size() > last.size();
}

std::size_t Leaf::LowerBound(std::string_view key, bool* equal, std::size_t from) const noexcept {
  *equal = false;
  const std::string_view common = prefix();
  const std::size_t shared = std::min(common.size(), key.size());
  if (const int order = CompareBytes(key.data(), common.data(), shared); order != 0) {
    return order < 0 ? from : count;
  }
  if (key.size() < common.size()) return from;
  const std::string_view rest = key.substr(shared);
  return !variable() && rest.size() == stride_ ? FixedLowerBound(rest, equal, from)
                                               : AnyLowerBound(rest, equal, from);
}

std::size_t Leaf::FixedLowerBound(std::string_view rest, bool* equal,
                                  std::size_t from) const noexcept {
  const std::size_t stride = stride_;
  if (stride == 0) {  // a single key
    *equal = from < count;
    return from;
  }
  // Compares numbers instead of texts, and has no branch to guess.
  const char* const suffixes = Suffixes();
  const unsigned unused = stride < 8 ? static_cast<unsigned>(64 - 8 * stride) : 0;
  const std::uint64_t head = HeadOf(rest) >> unused;
  const auto head_at = [=](std::size_t i) {
    return __builtin_bswap64(LoadWord(suffixes + i * stride)) >> unused;
  };
  std::size_t low = from;
  std::size_t length = count - from;
  while (length > 1) {
    const std::size_t half = length / 2;
    low += head_at(low + half - 1) < head ? half : 0;
    length -= half;
  }
  if (length == 1 && head_at(low) < head) ++low;
  for (; low < count && head_at(low) == head; ++low) {
    const int order =
        stride > 8 ? CompareBytes(suffixes + low * stride + 8, rest.data() + 8, stride - 8) : 0;
    if (order < 0) continue;
    *equal = order == 0;
    break;
  }
  return low;
}

std::size_t Leaf::AnyLowerBound(std::string_view rest, bool* equal,
                                std::size_t from) const noexcept {
  std::size_t low = from;
  std::size_t high = count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = suffix(middle).compare(rest);
    if (order == 0) {
      *equal = true;
      return middle;
    }
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void LeafEntries::Add(const Leaf& leaf, std::size_t from, std::size_t to) {
  const std::string_view prefix = leaf.prefix();
  const std::size_t first = ends_.size();
  std::size_t end = keys_.size();
  ends_.resize(first + to - from);
  locations_.resize(first + to - from);
  for (std::size_t i = from; i < to; ++i) {
    end += prefix.size() + leaf.suffix(i).size();
    ends_[first + i - from] = end;
    locations_[first + i - from] = leaf.location(i);
  }
  const std::size_t before = keys_.size();
  keys_.resize(end);
  char* at = keys_.data() + before;
  for (std::size_t i = from; i < to; ++i) {
    const std::string_view suffix = leaf.suffix(i);
    std::memcpy(at, prefix.data(), prefix.size());
    std::memcpy(at + prefix.size(), suffix.data(), suffix.size());
    at += prefix.size() + suffix.size();
  }
}

namespace {

// How far the numbers of a leaf's locations are apart.
class LocationRange {
 public:
  void Add(std::uint64_t offset, std::uint64_t slot, std::uint64_t size) noexcept {
    low_offset_ = std::min(low_offset_, offset);
    high_offset_ = std::max(high_offset_, offset);
    low_slot_ = std::min(low_slot_, slot);
    high_slot_ = std::max(high_slot_, slot);
    low_size_ = std::min(low_size_, size);
    high_size_ = std::max(high_size_, size);
  }
  // All of the shape but the prefix and the stride, which are there. What was added were
  // differences to the bases.
  void Complete(std::size_t count, std::size_t suffixes, std::uint64_t place_base,
                std::uint64_t size_base, LeafShape& shape) const noexcept {
    shape.offset_width = static_cast<std::uint8_t>(PackedWidth(high_offset_ - low_offset_));
    shape.slot_width = static_cast<std::uint8_t>(PackedWidth(high_slot_ - low_slot_));
    shape.size_width = static_cast<std::uint8_t>(PackedWidth(high_size_ - low_size_));
    shape.place_base = place_base + (low_slot_ << Leaf::kOffsetBits) + low_offset_;
    shape.size_base = size_base + low_size_;
    shape.bytes =
        Leaf::BytesFor(count, shape.stride == Leaf::kVariable, shape.prefix, suffixes,
                       std::size_t{shape.offset_width} + shape.slot_width + shape.size_width);
  }

 private:
  static constexpr std::uint64_t kMost = ~std::uint64_t{0};
  std::uint64_t low_offset_ = kMost;
  std::uint64_t high_offset_ = 0;
  std::uint64_t low_slot_ = kMost;
  std::uint64_t high_slot_ = 0;
  std::uint64_t low_size_ = kMost;
  std::uint64_t high_size_ = 0;
};

}  // namespace

Leaf* Leaf::Start(std::size_t count, const LeafShape& shape, void* memory) noexcept {
  auto* leaf = new (memory) Leaf();
  leaf->bytes = static_cast<std::uint32_t>(shape.bytes);
  leaf->count = static_cast<std::uint16_t>(count);
  leaf->level = 0;
  leaf->prefix_size_ = static_cast<std::uint32_t>(shape.prefix);
  leaf->stride_ = shape.stride;
  leaf->offset_width_ = shape.offset_width;
  leaf->slot_width_ = shape.slot_width & 0xf;
  leaf->size_width_ = shape.size_width & 0xf;
  leaf->place_base_ = shape.place_base;
  leaf->size_base_ = shape.size_base;
  return leaf;
}

LeafShape LeafEntries::Measure(std::size_t from, std::size_t to) const noexcept {
  LeafShape shape{};
  const std::string_view first = key(from);
  shape.prefix = CommonPrefix(first, key(to - 1));
  bool variable = false;
  LocationRange range;
  for (std::size_t i = from; i < to; ++i) {
    const Location& location = locations_[i];
    variable |= i > from && ends_[i] - ends_[i - 1] != first.size();
    range.Add(location.offset, location.slot, SizeAndFlag(location));
  }
  const std::size_t count = to - from;
  const std::size_t begin = from == 0 ? 0 : ends_[from - 1];
  const std::size_t suffixes = ends_[to - 1] - begin - count * shape.prefix;
  shape.stride =
      variable ? Leaf::kVariable : static_cast<std::uint16_t>(first.size() - shape.prefix);
  range.Complete(count, suffixes, 0, 0, shape);
  return shape;
}

Leaf* LeafEntries::Pack(std::size_t from, std::size_t to, const LeafShape& shape,
                        void* memory) const noexcept {
  Leaf* const leaf = Leaf::Start(to - from, shape, memory);
  char* const ends = leaf->Body();
  char* at = ends + leaf->EndsBytes();
  std::memcpy(at, key(from).data(), shape.prefix);
  at += shape.prefix;
  const char* const suffixes = at;
  for (std::size_t i = from; i < to; ++i) {
    const std::string_view suffix = key(i).substr(shape.prefix);
    std::memcpy(at, suffix.data(), suffix.size());
    at += suffix.size();
    if (shape.stride == Leaf::kVariable) {
      Leaf::StoreEnd(ends, i - from, static_cast<std::size_t>(at - suffixes));
    }
  }
  const std::size_t row_width = leaf->row_width();
  for (std::size_t i = from; i < to; ++i, at += row_width) leaf->StoreRow(at, locations_[i]);
  std::memset(at, 0, kNodeSlack);
  return leaf;
}

LeafPart::LeafPart(const Leaf& leaf, std::size_t from, std::size_t to) noexcept
    : leaf_(leaf), from_(from), to_(to), shape_{} {
  const std::size_t more = CommonPrefix(leaf.suffix(from), leaf.suffix(to - 1));
  shape_.prefix = leaf.prefix_size_ + more;
  shape_.stride = static_cast<std::uint16_t>(leaf.stride_ - more);
  const unsigned offset_width = leaf.offset_width_;
  const unsigned slot_width = leaf.slot_width_;
  const unsigned size_width = leaf.size_width_;
  const std::size_t row_width = leaf.row_width();
  LocationRange range;
  const char* row = leaf.Rows() + from * row_width;
  for (std::size_t i = from; i < to; ++i, row += row_width) {
    range.Add(LowBytes(LoadWord(row), offset_width),
              LowBytes(LoadWord(row + offset_width), slot_width),
              LowBytes(LoadWord(row + offset_width + slot_width), size_width));
  }
  range.Complete(to - from, (to - from) * shape_.stride, leaf.place_base_, leaf.size_base_, shape_);
  if (std::size_t{shape_.offset_width} + shape_.slot_width + shape_.size_width == row_width) {
    // Nothing gained: stay as they are, which is quickly copied.
    shape_.place_base = leaf.place_base_;
    shape_.size_base = leaf.size_base_;
    same_rows_ = true;
  }
}

std::optional<LeafShape> LeafPart::ShapeOfNext(std::string_view key,
                                               const Location& location) const noexcept {
  LeafShape shape = shape_;
  const std::string_view first = leaf_.suffix(from_);
  const std::size_t more = shape.prefix - leaf_.prefix_size_;
  if (key.size() != shape.prefix + shape.stride || !key.starts_with(leaf_.prefix()) ||
      !key.substr(leaf_.prefix_size_).starts_with(first.substr(0, more)) ||
      !Reaches(shape.size_base, shape.size_width, SizeAndFlag(location))) {
    return std::nullopt;
  }
  shape.place_base = std::uint64_t{location.slot} << Leaf::kOffsetBits | location.offset;
  shape.bytes =
      Leaf::BytesFor(1, false, shape.prefix, shape.stride,
                     std::size_t{shape.offset_width} + shape.slot_width + shape.size_width);
  return shape;
}

Leaf* LeafPart::Pack(void* memory) const noexcept {
  Leaf* const leaf = Leaf::Start(to_ - from_, shape_, memory);
  char* at = leaf->Body();
  const std::size_t more = shape_.prefix - leaf_.prefix_size_;
  std::memcpy(at, leaf_.prefix().data(), leaf_.prefix_size_);
  at += leaf_.prefix_size_;
  std::memcpy(at, leaf_.suffix(from_).data(), more);
  at += more;
  const std::size_t stride = shape_.stride;
  const char* suffix = leaf_.suffix(from_).data() + more;
  if (more == 0) {
    std::memcpy(at, suffix, (to_ - from_) * stride);
    at += (to_ - from_) * stride;
  } else {
    for (std::size_t i = from_; i < to_; ++i, at += stride, suffix += leaf_.stride_) {
      // What is copied beyond the end of one is under the next, or the rows, afterwards.
      for (std::size_t done = 0; done < stride; done += 8) {
        std::memcpy(at + done, suffix + done, 8);
      }
    }
  }
  const std::size_t row_width = leaf->row_width();
  if (same_rows_) {
    std::memcpy(at, leaf_.Rows() + from_ * row_width, (to_ - from_) * row_width);
    at += (to_ - from_) * row_width;
  } else {
    for (std::size_t i = from_; i < to_; ++i, at += row_width) {
      leaf->StoreRow(at, leaf_.location(i));
    }
  }
  std::memset(at, 0, kNodeSlack);
  return leaf;
}

}  // namespace weir::kv
