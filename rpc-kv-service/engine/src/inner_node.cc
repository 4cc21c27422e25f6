#include "inner_node.h"

#include <algorithm>

namespace weir::kv {
namespace {

int Sign(int order) noexcept {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

}  // namespace

std::size_t Inner::ChildFor(std::string_view key) const noexcept {
  const std::size_t shared = std::min<std::size_t>(prefix_size_, key.size());
  if (const int order = CompareBytes(key.data(), Prefix(), shared); order != 0) {
    return order < 0 ? 0 : count - 1u;
  }
  if (key.size() < prefix_size_) return 0;
  key.remove_prefix(shared);
  const std::uint64_t head = HeadOf(key);
  const std::uint64_t* const heads = Heads();
  std::size_t low = 0;
  std::size_t length = count - 1u;
  while (length > 1) {
    const std::size_t half = length / 2;
    low += heads[low + half - 1] < head ? half : 0;
    length -= half;
  }
  if (length == 1 && heads[low] < head) ++low;
  if (low == count - 1u || heads[low] != head) return low;
  // Equal heads: the whole separators decide.
  std::size_t high =
      static_cast<std::size_t>(std::upper_bound(heads + low, heads + count - 1, head) - heads);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (rest(middle) <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

int Inner::CompareToSeparator(std::string_view key, std::size_t i) const noexcept {
  const int order = key.substr(0, prefix_size_).compare(prefix());
  return order != 0 ? Sign(order) : Sign(key.substr(prefix_size_).compare(rest(i)));
}

void InnerParts::Add(const Inner& node, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    children_.push_back(node.child(i).load(std::memory_order_relaxed));
    if (i + 1 < to) AddSeparator(node.prefix(), node.rest(i));
  }
}

void InnerParts::Add(const InnerParts& other) {
  const std::size_t text = text_.size();
  children_.insert(children_.end(), other.children_.begin(), other.children_.end());
  text_.append(other.text_);
  for (const std::size_t end : other.ends_) ends_.push_back(text + end);
}

std::size_t InnerParts::BytesFor(std::size_t from, std::size_t to) const noexcept {
  const std::size_t count = to - from;
  std::size_t text = 0;
  if (count > 1) {
    const std::size_t prefix = CommonPrefix(separator(from), separator(to - 2));
    const std::size_t begin = from == 0 ? 0 : ends_[from - 1];
    text = ends_[to - 2] - begin - (count - 2) * prefix;
  }
  return sizeof(Inner) + 8 * count + 12 * (count - 1) + text + kNodeSlack;
}

Inner* InnerParts::Pack(std::size_t from, std::size_t to, std::uint8_t level,
                        void* memory) const noexcept {
  const std::size_t count = to - from;
  auto* node = new (memory) Inner();
  node->bytes = static_cast<std::uint32_t>(BytesFor(from, to));
  node->count = static_cast<std::uint16_t>(count);
  node->level = level;
  const std::size_t prefix = count > 1 ? CommonPrefix(separator(from), separator(to - 2)) : 0;
  node->prefix_size_ = static_cast<std::uint32_t>(prefix);
  char* heads = static_cast<char*>(memory) + sizeof(Inner);
  char* at = heads + 8 * (count - 1);
  for (std::size_t i = from; i < to; ++i, at += sizeof(std::atomic<Node*>)) {
    new (at) std::atomic<Node*>(children_[i]);
  }
  char* ends = at;
  at = ends + 4 * (count - 1);
  if (count > 1) {
    std::memcpy(at, separator(from).data(), prefix);
    at += prefix;
  }
  const char* const rests = at;
  for (std::size_t i = from; i + 1 < to; ++i) {
    const std::string_view rest = separator(i).substr(prefix);
    new (heads) std::uint64_t(HeadOf(rest));
    heads += 8;
    std::memcpy(at, rest.data(), rest.size());
    at += rest.size();
    new (ends) std::uint32_t(static_cast<std::uint32_t>(at - rests));
    ends += 4;
  }
  std::memset(at, 0, kNodeSlack);
  return node;
}

}  // namespace weir::kv
