#include "index_tree.h"

#include <algorithm>

namespace weir::kv {
namespace {

constexpr std::size_t kLine = 64;

void Prefetch(const void* at, std::size_t lines) noexcept {
  for (std::size_t i = 0; i < lines; ++i) {
    __builtin_prefetch(static_cast<const char*>(at) + i * kLine);
  }
}
// A leaf of random keys has some 14 lines; not knowing better, asks for nearly all at once.
void PrefetchNode(const Node* node) noexcept {
  Prefetch(node, 12);
}

const Node* ChildOf(const Node* node, std::string_view key) noexcept {
  const auto* inner = static_cast<const Inner*>(node);
  return inner->child(inner->ChildFor(key)).load(std::memory_order_acquire);
}

// The way down to a leaf, for going on to its neighbours.
class Path {
 public:
  // To the leaf for `key`; `last`: to the last leaf instead.
  Path(const Node* root, std::string_view key, bool last) {
    while (root->level > 0) {
      const auto* inner = static_cast<const Inner*>(root);
      root = Push(inner, last ? inner->count - 1u : inner->ChildFor(key));
    }
    leaf_ = static_cast<const Leaf*>(root);
  }
  const Leaf& leaf() const noexcept { return *leaf_; }
  // To the next leaf, or the one before. False: there is none.
  bool Step(bool back) noexcept {
    while (depth_ > 0) {
      auto& [inner, child] = steps_[depth_ - 1];
      if (back ? child > 0 : child + 1u < inner->count) {
        --depth_;
        const Node* node = Push(inner, back ? child - 1 : child + 1);
        while (node->level > 0) {
          const auto* below = static_cast<const Inner*>(node);
          node = Push(below, back ? below->count - 1u : 0);
        }
        leaf_ = static_cast<const Leaf*>(node);
        return true;
      }
      --depth_;
    }
    return false;
  }
  // Asks for the leaf that Step will go to, if it is near.
  void PrefetchNext(bool back) const noexcept {
    if (depth_ == 0) return;
    const auto& [inner, child] = steps_[depth_ - 1];
    if (back ? child > 0 : child + 1u < inner->count) {
      PrefetchNode(inner->child(back ? child - 1 : child + 1).load(std::memory_order_acquire));
    }
  }

 private:
  struct Level {
    const Inner* inner;
    std::size_t child;
  };
  const Node* Push(const Inner* inner, std::size_t child) noexcept {
    steps_[depth_++] = {inner, child};
    return inner->child(child).load(std::memory_order_acquire);
  }
  std::array<Level, 48> steps_;
  std::size_t depth_ = 0;
  const Leaf* leaf_;
};

}  // namespace

std::optional<Location> IndexTree::Find(std::string_view key) const noexcept {
  const Node* node = root_.load(std::memory_order_acquire);
  if (node == nullptr) return std::nullopt;
  for (unsigned level = node->level; level > 0; --level) {
    node = ChildOf(node, key);
    PrefetchNode(node);
  }
  const auto* leaf = static_cast<const Leaf*>(node);
  bool equal = false;
  const std::size_t at = leaf->LowerBound(key, &equal);
  if (!equal) return std::nullopt;
  return leaf->location(at);
}

void IndexTree::Look(std::span<KeyEdit> edits) noexcept {
  // Several keys go down side by side, so that their cache misses overlap.
  constexpr std::size_t kAbreast = 16;
  Node* const root = root_.load(std::memory_order_acquire);
  if (root == nullptr) return;
  for (std::size_t first = 0; first < edits.size(); first += kAbreast) {
    const std::span<KeyEdit> group = edits.subspan(first, std::min(kAbreast, edits.size() - first));
    std::array<Node*, kAbreast> nodes;
    nodes.fill(root);
    for (unsigned level = root->level; level > 0; --level) {
      for (std::size_t i = 0; i < group.size(); ++i) {
        KeyEdit& edit = group[i];
        edit.parent = static_cast<Inner*>(nodes[i]);
        edit.child = edit.parent->ChildFor(edit.key);
        nodes[i] = edit.parent->child(edit.child).load(std::memory_order_relaxed);
        PrefetchNode(nodes[i]);
      }
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      KeyEdit& edit = group[i];
      edit.leaf = static_cast<const Leaf*>(nodes[i]);
      edit.position = edit.leaf->LowerBound(edit.key, &edit.existed);
      if (edit.existed) edit.was = edit.leaf->location(edit.position);
    }
  }
}

bool IndexTree::Collect(const IndexRange& range, std::size_t most, IndexPortion& out) const {
  if (root_.load(std::memory_order_acquire) == nullptr) return false;
  return range.reverse ? CollectReverse(range, most, out) : CollectForward(range, most, out);
}

bool IndexTree::CollectForward(const IndexRange& range, std::size_t most, IndexPortion& out) const {
  const Node* const root = root_.load(std::memory_order_acquire);
  if (root == nullptr) return false;
  Path path(root, range.start, false);
  bool equal = false;
  std::size_t at = path.leaf().LowerBound(range.start, &equal);
  if (equal && range.behind_start) ++at;
  do {
    path.PrefetchNext(false);
    const Leaf& leaf = path.leaf();
    const std::size_t end =
        range.end.empty()
            ? leaf.count
            : leaf.LowerBound(range.end, &equal, std::min<std::size_t>(at, leaf.count));
    const std::size_t until = std::min(end, at + most);
    if (at < until) {
      leaf.Collect(at, until, false, out);
      most -= until - at;
      at = until;
    }
    if (at < end) return true;
    if (end < leaf.count) return false;
    at = 0;
  } while (path.Step(false));
  return false;
}

bool IndexTree::CollectReverse(const IndexRange& range, std::size_t most, IndexPortion& out) const {
  const Node* const root = root_.load(std::memory_order_acquire);
  if (root == nullptr) return false;
  Path path(root, range.end, range.end.empty());
  bool equal = false;
  std::size_t at =
      range.end.empty() ? path.leaf().count : path.leaf().LowerBound(range.end, &equal);
  for (;;) {
    path.PrefetchNext(true);
    const Leaf& leaf = path.leaf();
    std::size_t begin = leaf.LowerBound(range.start, &equal);
    if (equal && range.behind_start) ++begin;
    if (at > begin) {
      const std::size_t until = at - std::min(at - begin, most);
      leaf.Collect(until, at, true, out);
      most -= at - until;
      at = until;
      if (at > begin) return true;
    }
    if (begin > 0 || !path.Step(true)) return false;
    at = path.leaf().count;
  }
}

}  // namespace weir::kv
