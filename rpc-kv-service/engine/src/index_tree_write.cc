#include <algorithm>
#include <utility>

#include "epoch.h"
#include "index_tree.h"

namespace weir::kv {
namespace {

// Fewer keys or children than this: may be joined with a neighbour, if both have room in one node.
constexpr std::size_t kFewKeys = IndexTree::kMaxLeafKeys / 4;
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
  const std::size_t bytes = entries.BytesFor(from, to);
  if (bytes > IndexTree::kMaxLeafBytes && to - from > 1) {
    const std::size_t middle = (from + to) / 2;
    AddLeaf(entries, from, middle, memory, made);
    AddLeaf(entries, middle, to, memory, made);
    return;
  }
  if (made.size() > 0) made.AddSeparator(Separator(entries.key(from - 1), entries.key(from)));
  made.AddChild(entries.Pack(from, to, memory.Allocate(bytes)));
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

void IndexTree::Apply(std::span<KeyEdit> edits) {
  while (!edits.empty()) {
    if (root_.load(std::memory_order_relaxed) == nullptr) {
      entries_.Clear();
      for (const KeyEdit& edit : edits) {
        if (!edit.erase) entries_.Add(edit.key, edit.location);
      }
      if (entries_.size() == 0) return;
      InnerParts made;
      PackLeaves(entries_, true, memory_, made);
      ReplaceRoot(made, true);
      keys_.store(entries_.size(), std::memory_order_relaxed);
      break;
    }
    Leaf* leaf = Descend(edits.front().key);
    const std::size_t count = EditsOfLeaf(edits);
    EditLeaf(leaf, edits.first(count));
    edits = edits.subspan(count);
  }
  if (retired_.size() >= kRetireBatch) Reclaim();
  memory_bytes_.store(memory_.bytes(), std::memory_order_relaxed);
}

Leaf* IndexTree::Descend(std::string_view key) noexcept {
  Node* node = root_.load(std::memory_order_relaxed);
  depth_ = 0;
  while (node->level > 0) {
    auto* inner = static_cast<Inner*>(node);
    const std::size_t child = inner->ChildFor(key);
    path_[depth_++] = {inner, child};
    node = inner->child(child).load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < 12; ++i) {
      __builtin_prefetch(reinterpret_cast<const char*>(node) + 64 * i);
    }
  }
  return static_cast<Leaf*>(node);
}

// How many of the edits belong to the leaf that path_ leads to; the first does.
std::size_t IndexTree::EditsOfLeaf(std::span<const KeyEdit> edits) const noexcept {
  if (edits.size() == 1) return 1;
  std::size_t level = depth_;
  while (level > 0 && path_[level - 1].child + 1u >= path_[level - 1].node->count) --level;
  if (level == 0) return edits.size();
  const auto& [inner, child] = path_[level - 1];
  std::size_t count = 1;
  while (count < edits.size() && inner->CompareToSeparator(edits[count].key, child) < 0) ++count;
  return count;
}

void IndexTree::EditLeaf(Leaf* leaf, std::span<KeyEdit> edits) {
  changes_.clear();
  std::size_t at = 0;
  std::size_t count = leaf->count;
  for (KeyEdit& edit : edits) {
    at = leaf->LowerBound(edit.key, &edit.existed, at);
    if (edit.existed) edit.was = leaf->location(at);
    if (edit.erase && !edit.existed) continue;
    changes_.push_back({at, edit.existed, edit.erase, edit.key, edit.location});
    if (!edit.existed) ++count;
    if (edit.erase) --count;
  }
  if (changes_.empty()) return;
  const bool shrinks = count < leaf->count;
  keys_.store(keys_.load(std::memory_order_relaxed) + count - leaf->count,
              std::memory_order_relaxed);
  // Many changes are a reason to pack anew: locations may have come closer to each other.
  if (count > 0 && count <= kMaxLeafKeys && !(shrinks && count < kFewKeys) &&
      changes_.size() <= 1 + leaf->count / 4u) {
    const std::size_t bytes = RewrittenBytes(*leaf, changes_);
    if (bytes != 0 && bytes <= kMaxLeafBytes) {
      Leaf* made = Rewrite(*leaf, changes_, memory_.Allocate(bytes));
      Retire(leaf);
      if (depth_ == 0) {
        root_.store(made, std::memory_order_release);
      } else {
        const auto& [parent, child] = path_[depth_ - 1];
        parent->child(child).store(made, std::memory_order_release);
      }
      return;
    }
  }
  const bool appended = changes_.front().position == leaf->count;
  entries_.Clear();
  std::size_t next = 0;
  for (const LeafChange& change : changes_) {
    entries_.Add(*leaf, next, change.position);
    if (!change.erase) entries_.Add(change.key, change.location);
    next = change.position + (change.there ? 1 : 0);
  }
  entries_.Add(*leaf, next, leaf->count);
  ReplaceLeaf(leaf, appended);
}

void IndexTree::ReplaceLeaf(Leaf* leaf, bool appended) {
  InnerParts made;
  std::size_t from = 0;
  std::size_t replaced = 1;
  if (entries_.size() > 0 && entries_.size() < kFewKeys && entries_.size() < leaf->count &&
      depth_ > 0 && path_[depth_ - 1].node->count > 1) {
    const auto& [parent, child] = path_[depth_ - 1];
    const bool right = child + 1u < parent->count;
    auto* other = static_cast<Leaf*>(
        parent->child(right ? child + 1 : child - 1).load(std::memory_order_relaxed));
    if (entries_.size() + other->count <= ThreeQuarters(kMaxLeafKeys)) {
      LeafEntries joined;
      if (!right) joined.Add(*other, 0, other->count);
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        joined.Add(entries_.key(i), entries_.location(i));
      }
      if (right) joined.Add(*other, 0, other->count);
      if (joined.BytesFor(0, joined.size()) <= ThreeQuarters(kMaxLeafBytes)) {
        PackLeaves(joined, false, memory_, made);
        Replace(depth_, right ? child : child - 1, 2, made, false);
        Retire(leaf);
        Retire(other);
        return;
      }
    }
  }
  if (entries_.size() > 0) PackLeaves(entries_, appended, memory_, made);
  if (depth_ > 0) from = path_[depth_ - 1].child;
  Replace(depth_, from, replaced, made, appended);
  Retire(leaf);
}

// Puts what was made in the place of `count` children, from `from` on, of the node at
// path_[depth-1].
void IndexTree::Replace(std::size_t depth, std::size_t from, std::size_t count,
                        const InnerParts& made, bool appended) {
  if (depth == 0) return ReplaceRoot(made, appended);
  Inner* const node = path_[depth - 1].node;
  if (made.size() == 1 && count == 1) {
    node->child(from).store(made.child(0), std::memory_order_release);
    return;
  }
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
    Node* child = static_cast<Inner*>(root)->child(0).load(std::memory_order_relaxed);
    Retire(root);
    root = child;
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

void IndexTree::Retire(Node* node) {
  retired_.push_back(node);
}

void IndexTree::Reclaim() {
  if (!retired_.empty()) {
    waiting_.push_back({Epochs::End(), std::move(retired_)});
    retired_.clear();
    retired_.reserve(2 * kRetireBatch);
  }
  while (!waiting_.empty() && Epochs::Passed(waiting_.front().epoch)) {
    for (Node* node : waiting_.front().nodes) memory_.Free(node, node->bytes);
    waiting_.pop_front();
  }
  memory_bytes_.store(memory_.bytes(), std::memory_order_relaxed);
}

}  // namespace weir::kv
