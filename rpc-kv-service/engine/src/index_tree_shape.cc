#include <algorithm>
#include <utility>

#include "index_tree.h"

namespace weir::kv {
namespace {

// Fewer children than this: may be joined with a neighbour, if both have room in one node.
constexpr std::size_t kFewChildren = IndexTree::kMaxChildren / 4;

constexpr std::size_t ThreeQuarters(std::size_t most) {
  return most - most / 4;
}

// Calls emit(from, to) for [from, to) in parts of equal size of at most `most`.
template <class Emit>
void InEqualParts(std::size_t from, std::size_t to, std::size_t most, Emit&& emit) {
  for (std::size_t parts = (to - from + most - 1) / most; parts > 0; --parts) {
    const std::size_t end = from + (to - from) / parts;
    emit(from, end);
    from = end;
  }
}

// Calls emit(from, to) for [from, to) in full parts of `most`, and the rest.
template <class Emit>
void InFullParts(std::size_t from, std::size_t to, std::size_t most, Emit&& emit) {
  for (; from < to; from += most) emit(from, std::min(from + most, to));
}

void AddLeaf(const LeafEntries& entries, std::size_t from, std::size_t to, NodeMemory& memory,
             InnerParts& made) {
  const LeafShape shape = entries.Measure(from, to);
  if (shape.bytes > IndexTree::kMaxLeafBytes && to - from > 1) {
    const std::size_t middle = (from + to) / 2;
    AddLeaf(entries, from, middle, memory, made);
    AddLeaf(entries, middle, to, memory, made);
    return;
  }
  if (made.size() > 0) made.AddSeparator(Separator(entries.key(from - 1), entries.key(from)));
  made.AddChild(entries.Pack(from, to, shape, memory.Allocate(shape.bytes)));
}

}  // namespace

void PackLeaves(const LeafEntries& entries, bool appended, NodeMemory& memory, InnerParts& made) {
  const auto add = [&](std::size_t from, std::size_t to) {
    AddLeaf(entries, from, to, memory, made);
  };
  if (appended) {
    InFullParts(0, entries.size(), IndexTree::kMaxLeafKeys, add);
  } else {
    InEqualParts(0, entries.size(), IndexTree::kMaxLeafKeys, add);
  }
}

IndexTree::~IndexTree() {
  if (Node* root = root_.load(std::memory_order_relaxed)) FreeAll(root);
  for (Node* node : retired_) memory_.Free(node, node->bytes);
  for (const Retired& batch : waiting_) {
    for (Node* node : batch.nodes) memory_.Free(node, node->bytes);
  }
}

void IndexTree::FreeAll(Node* node) noexcept {
  if (node->level > 0) {
    auto* inner = static_cast<Inner*>(node);
    for (std::size_t i = 0; i < inner->count; ++i) {
      FreeAll(inner->child(i).load(std::memory_order_relaxed));
    }
  }
  memory_.Free(node, node->bytes);
}

// Puts what was made in the place of `count` children, from `from` on, of the node at
// path_[depth-1].
void IndexTree::Replace(std::size_t depth, std::size_t from, std::size_t count,
                        const InnerParts& made, bool appended) {
  if (depth == 0) return ReplaceRoot(made, appended);
  Inner* const node = path_[depth - 1].node;
  if (made.size() == 1 && count == 1) return Swing({node, from}, made.child(0));
  if (Splice(depth, from, count, made)) return;
  appended = appended && from + count == node->count;
  InnerParts parts;
  const auto separator = [&](std::size_t i) { parts.AddSeparator(node->prefix(), node->rest(i)); };
  parts.Add(*node, 0, from);
  if (made.size() > 0) {
    if (from > 0) separator(from - 1);
    parts.Add(made);
  }
  if (from + count < node->count) {
    if (parts.size() > 0) separator(from + count - 1);
    parts.Add(*node, from + count, node->count);
  }
  Retire(node);
  InnerParts nodes;
  if (depth > 1) {
    const auto& [parent, child] = path_[depth - 2];
    if (parts.size() > 0 && parts.size() < kFewChildren && parts.size() < node->count &&
        parent->count > 1) {
      const std::size_t left = child + 1u < parent->count ? child : child - 1;
      auto* other = static_cast<Inner*>(
          parent->child(left == child ? child + 1 : left).load(std::memory_order_relaxed));
      if (parts.size() + other->count <= ThreeQuarters(kMaxChildren)) {
        InnerParts joined;
        if (left != child) joined.Add(*other, 0, other->count);
        if (left != child) joined.AddSeparator(parent->prefix(), parent->rest(left));
        joined.Add(parts);
        if (left == child) joined.AddSeparator(parent->prefix(), parent->rest(left));
        if (left == child) joined.Add(*other, 0, other->count);
        PackInner(joined, node->level, false, nodes);
        Retire(other);
        return Replace(depth - 1, left, 2, nodes, false);
      }
    }
    if (parts.size() > 0) PackInner(parts, node->level, appended, nodes);
    return Replace(depth - 1, child, 1, nodes, appended);
  }
  if (parts.size() <= 1) return ReplaceRoot(parts, false);
  PackInner(parts, node->level, appended, nodes);
  ReplaceRoot(nodes, appended);
}

// The same, if the node at path_[depth-1] needs neither a split nor a join.
bool IndexTree::Splice(std::size_t depth, std::size_t from, std::size_t count,
                       const InnerParts& made) {
  Inner* const node = path_[depth - 1].node;
  const InnerSplice splice(*node, from, count, made);
  if (splice.bytes() == 0 || splice.bytes() > kMaxInnerBytes || splice.children() > kMaxChildren ||
      (splice.children() < node->count && splice.children() < kFewChildren)) {
    return false;
  }
  Swing(depth > 1 ? path_[depth - 2] : Step{}, splice.Pack(memory_.Allocate(splice.bytes())));
  Retire(node);
  return true;
}

void IndexTree::ReplaceRoot(const InnerParts& made, bool appended) {
  if (made.size() == 0) return root_.store(nullptr, std::memory_order_release);
  InnerParts nodes;
  nodes.Add(made);
  while (nodes.size() > 1) {
    InnerParts above;
    PackInner(nodes, static_cast<std::uint8_t>(nodes.child(0)->level + 1), appended, above);
    std::swap(nodes, above);
  }
  // A root of one child only is in the way.
  Node* root = nodes.child(0);
  while (root->level > 0 && root->count == 1) {
    auto* inner = static_cast<Inner*>(root);
    root = inner->child(0).load(std::memory_order_relaxed);
    Retire(inner);
  }
  root_.store(root, std::memory_order_release);
}

void IndexTree::PackInner(const InnerParts& parts, std::uint8_t level, bool appended,
                          InnerParts& made) {
  const auto add = [&](auto& self, std::size_t from, std::size_t to) -> void {
    const std::size_t bytes = parts.BytesFor(from, to);
    if (bytes > kMaxInnerBytes && to - from >= 4) {
      const std::size_t middle = (from + to) / 2;
      self(self, from, middle);
      self(self, middle, to);
      return;
    }
    if (made.size() > 0) made.AddSeparator(parts.separator(from - 1));
    made.AddChild(parts.Pack(from, to, level, memory_.Allocate(bytes)));
  };
  const auto emit = [&](std::size_t from, std::size_t to) { add(add, from, to); };
  if (appended) {
    InFullParts(0, parts.size(), kMaxChildren, emit);
  } else {
    InEqualParts(0, parts.size(), kMaxChildren, emit);
  }
}

}  // namespace weir::kv
