#include <new>

#include "packed_leaf.h"

namespace weir::kv {
namespace {

struct Growth {
  std::size_t count;
  std::size_t suffix_bytes;
};

Growth After(const Leaf& leaf, std::span<const LeafChange> changes) noexcept {
  Growth after{leaf.count, leaf.suffix_bytes()};
  for (const LeafChange& change : changes) {
    if (change.there && !change.erase) continue;
    const std::size_t suffix = change.key.size() - leaf.prefix().size();
    if (change.erase) {
      --after.count;
      after.suffix_bytes -= suffix;
    } else {
      ++after.count;
      after.suffix_bytes += suffix;
    }
  }
  return after;
}

// Copies what lies between the changes; `put` writes what a change brings and returns how much.
template <class Put>
char* CopyAround(const char* from, std::size_t count, std::span<const LeafChange> changes, char* to,
                 auto&& begin_of, Put&& put) {
  std::size_t next = 0;
  const auto copy = [&](std::size_t end) {
    const std::size_t begin_byte = begin_of(next);
    const std::size_t bytes = begin_of(end) - begin_byte;
    std::memcpy(to, from + begin_byte, bytes);
    to += bytes;
    next = end;
  };
  for (const LeafChange& change : changes) {
    copy(change.position);
    if (!change.erase) to += put(to, change);
    if (change.there) ++next;
  }
  copy(count);
  return to;
}

}  // namespace

std::size_t RewrittenBytes(const Leaf& leaf, const LeafChange& change) noexcept {
  const std::size_t prefix = leaf.prefix().size();
  const std::size_t one = change.key.size() - prefix + leaf.row_width() + (leaf.variable() ? 2 : 0);
  if (change.erase) return leaf.count > 1 ? leaf.bytes - one : 0;
  if (!leaf.Fits(change.location)) return 0;
  if (change.there) return leaf.bytes;
  return leaf.Fits(change.key) ? leaf.bytes + one : 0;
}

std::size_t RewrittenBytes(const Leaf& leaf, std::span<const LeafChange> changes) noexcept {
  if (changes.size() == 1) return RewrittenBytes(leaf, changes[0]);
  for (const LeafChange& change : changes) {
    if (change.erase) continue;
    if (!change.there && !leaf.Fits(change.key)) return 0;
    if (!leaf.Fits(change.location)) return 0;
  }
  const Growth after = After(leaf, changes);
  if (after.count == 0) return 0;
  return Leaf::BytesFor(after.count, leaf.variable(), leaf.prefix().size(), after.suffix_bytes,
                        leaf.row_width());
}

// One change leaves two runs of bytes as they are, or three: suffixes and rows lie side by side.
Leaf* Rewrite(const Leaf& old, const LeafChange& change, std::size_t bytes, void* memory) {
  auto* leaf = new (memory) Leaf(old);
  const std::size_t row_width = old.row_width();
  const char* const rows = old.Rows() + change.position * row_width;
  if (change.there && !change.erase) {
    std::memcpy(leaf->Body(), old.Body(), old.bytes - sizeof(Leaf));
    char* const row = leaf->Body() + (rows - old.Body());
    const std::uint64_t behind = LoadWord(row + row_width);
    leaf->StoreRow(row, change.location);
    std::memcpy(row + row_width, &behind, sizeof behind);
    return leaf;
  }
  const std::size_t count = change.erase ? old.count - 1u : old.count + 1u;
  leaf->count = static_cast<std::uint16_t>(count);
  leaf->bytes = static_cast<std::uint32_t>(bytes);
  const std::size_t position = change.position;
  const std::size_t gone = change.there ? 1 : 0;
  const std::size_t suffix = change.key.size() - old.prefix_size_;
  char* to = leaf->Body();
  std::size_t begin = position * old.stride_;  // of the change, among the suffixes
  if (old.variable()) {
    begin = position == 0 ? 0 : old.End(position - 1);
    std::memcpy(to, old.Body(), 2 * position);
    if (!change.erase) Leaf::StoreEnd(to, position, begin + suffix);
    const std::size_t moved = change.erase ? 0 - suffix : suffix;
    for (std::size_t i = position + gone; i < old.count; ++i) {
      Leaf::StoreEnd(to, i + count - old.count, old.End(i) + moved);
    }
    to += 2 * count;
  }
  const char* from = old.Body() + old.EndsBytes();
  const auto copy = [&](const char* until) {
    const auto run = static_cast<std::size_t>(until - from);
    std::memcpy(to, from, run);
    to += run;
    from = until;
  };
  copy(from + old.prefix_size_ + begin);
  if (change.erase) {
    from += suffix;
  } else {
    std::memcpy(to, change.key.data() + old.prefix_size_, suffix);
    to += suffix;
  }
  copy(rows);
  if (change.erase) {
    from += row_width;
  } else {
    leaf->StoreRow(to, change.location);
    to += row_width;
  }
  copy(reinterpret_cast<const char*>(&old) + old.bytes);
  return leaf;
}

Leaf* Rewrite(const Leaf& old, std::span<const LeafChange> changes, void* memory) {
  const Growth after = After(old, changes);
  auto* leaf = new (memory) Leaf(old);
  leaf->count = static_cast<std::uint16_t>(after.count);
  leaf->bytes = static_cast<std::uint32_t>(Leaf::BytesFor(
      after.count, old.variable(), old.prefix_size_, after.suffix_bytes, old.row_width()));

  const std::size_t prefix = old.prefix_size_;
  char* to = leaf->Body() + leaf->EndsBytes();
  std::memcpy(to, old.prefix().data(), prefix);
  to += prefix;
  const auto put_suffix = [prefix](char* at, const LeafChange& change) {
    std::memcpy(at, change.key.data() + prefix, change.key.size() - prefix);
    return change.key.size() - prefix;
  };
  if (old.variable()) {
    to = CopyAround(
        old.Suffixes(), old.count, changes, to,
        [&](std::size_t i) { return i == 0 ? 0 : old.End(i - 1); }, put_suffix);
    char* const ends = leaf->Body();
    std::size_t next = 0;
    std::size_t end = 0;
    std::size_t out = 0;
    const auto keep = [&](std::size_t until) {
      for (; next < until; ++next) {
        end += old.suffix(next).size();
        Leaf::StoreEnd(ends, out++, end);
      }
    };
    for (const LeafChange& change : changes) {
      keep(change.position);
      if (!change.erase) {
        end += change.key.size() - prefix;
        Leaf::StoreEnd(ends, out++, end);
      }
      if (change.there) ++next;
    }
    keep(old.count);
  } else {
    const std::size_t stride = old.stride_;
    to = CopyAround(
        old.Suffixes(), old.count, changes, to, [=](std::size_t i) { return i * stride; },
        put_suffix);
  }
  const std::size_t row_width = old.row_width();
  to = CopyAround(
      old.Rows(), old.count, changes, to, [=](std::size_t i) { return i * row_width; },
      [&](char* at, const LeafChange& change) {
        leaf->StoreRow(at, change.location);
        return row_width;
      });
  std::memset(to, 0, kNodeSlack);
  return leaf;
}

}  // namespace weir::kv
