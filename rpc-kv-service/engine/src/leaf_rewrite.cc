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

std::size_t RewrittenBytes(const Leaf& leaf, std::span<const LeafChange> changes) noexcept {
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
