#include <algorithm>
#include <utility>

#include "epoch.h"
#include "index_tree.h"

namespace weir::kv {
namespace {

// Fewer keys than this: may be joined with a neighbour, if both have room in one leaf.
constexpr std::size_t kFewKeys = IndexTree::kMaxLeafKeys / 4;

constexpr std::size_t ThreeQuarters(std::size_t most) {
  return most - most / 4;
}

// Looking for a neighbour costs a cache miss: not at every key that goes.
bool MayJoin(std::size_t before, std::size_t after) {
  return after > 0 && after < kFewKeys && after / 4 < before / 4;
}

}  // namespace

void IndexTree::Apply(std::span<KeyEdit> edits) {
  while (!edits.empty()) {
    if (root_.load(std::memory_order_relaxed) == nullptr) {
      Start(edits);
      break;
    }
    std::size_t count = 1;
    Leaf* leaf = Reach(edits, count);
    if (count == 1) {
      EditLeaf(leaf, edits.front());
    } else {
      EditLeaf(leaf, edits.first(count));
    }
    edits = edits.subspan(count);
  }
  if (retired_.size() >= kRetireBatch) Reclaim();
  memory_bytes_.store(memory_.bytes(), std::memory_order_relaxed);
}

void IndexTree::Start(std::span<const KeyEdit> edits) {
  entries_.Clear();
  for (const KeyEdit& edit : edits) {
    if (!edit.erase) entries_.Add(edit.key, edit.location);
  }
  if (entries_.size() == 0) return;
  InnerParts made;
  PackLeaves(entries_, true, memory_, made);
  ReplaceRoot(made, true);
  keys_.store(entries_.size(), std::memory_order_relaxed);
}

// The leaf of the first edit, and how many belong to it.
Leaf* IndexTree::Reach(std::span<KeyEdit> edits, std::size_t& count) noexcept {
  const KeyEdit& first = edits.front();
  if (Appends(first.key)) {
    Leaf* const leaf = std::exchange(tail_, nullptr);
    path_known_ = false;
    parent_ = tail_parent_;
    at_end_ = true;
    for (KeyEdit& edit : edits) {
      edit.leaf = leaf;
      edit.position = leaf->count;
    }
    count = edits.size();
    return leaf;
  }
  tail_ = nullptr;
  at_end_ = false;
  if (first.parent == nullptr || first.parent->replaced()) {
    Leaf* leaf = Descend(first.key);
    count = EditsOfLeaf(edits);
    return leaf;
  }
  path_known_ = false;
  parent_ = {first.parent, first.child};
  while (count < edits.size() && edits[count].parent == first.parent &&
         edits[count].child == first.child) {
    ++count;
  }
  return static_cast<Leaf*>(first.parent->child(first.child).load(std::memory_order_relaxed));
}

Leaf* IndexTree::Descend(std::string_view key) noexcept {
  Node* node = root_.load(std::memory_order_relaxed);
  depth_ = 0;
  parent_ = {};
  path_known_ = true;
  for (unsigned level = node->level; level > 0; --level) {
    auto* inner = static_cast<Inner*>(node);
    parent_ = {inner, inner->ChildFor(key)};
    path_[depth_++] = parent_;
    node = inner->child(parent_.child).load(std::memory_order_relaxed);
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

void IndexTree::EditLeaf(Leaf* leaf, KeyEdit& edit) {
  if (edit.leaf != leaf) {
    edit.position = leaf->LowerBound(edit.key, &edit.existed);
    if (edit.existed) edit.was = leaf->location(edit.position);
  }
  if (edit.erase && !edit.existed) return;
  const LeafChange change{edit.position, edit.existed, edit.erase, edit.key, edit.location};
  bool join = false;
  std::size_t count = leaf->count;
  if (edit.erase != !edit.existed) {  // one comes or goes
    count = edit.erase ? count - 1 : count + 1;
    keys_.store(keys_.load(std::memory_order_relaxed) + count - leaf->count,
                std::memory_order_relaxed);
    bool right = false;
    join = MayJoin(leaf->count, count) && Joinable(count, right) != nullptr;
  }
  if (!join) {
    if (const std::size_t bytes = RewrittenBytes(*leaf, change); bytes != 0) {
      if (count <= kMaxLeafKeys && bytes <= kMaxLeafBytes) {
        Leaf* const made = Rewrite(*leaf, change, bytes, memory_.Allocate(bytes));
        Swing(parent_, made);
        Retire(leaf);
        if (change.position == leaf->count && AtEnd()) {
          tail_ = made;
          tail_parent_ = parent_;
        }
        return;
      }
      if (SplitLeaf(leaf, change, bytes)) return;
    }
  }
  changes_.assign(1, change);
  ChangeLeaf(leaf, count, join);
}

void IndexTree::EditLeaf(Leaf* leaf, std::span<KeyEdit> edits) {
  changes_.clear();
  std::size_t at = 0;
  std::size_t count = leaf->count;
  for (KeyEdit& edit : edits) {
    if (edit.leaf == leaf) {
      at = edit.position;
    } else {
      at = leaf->LowerBound(edit.key, &edit.existed, at);
      if (edit.existed) edit.was = leaf->location(at);
    }
    if (edit.erase && !edit.existed) continue;
    changes_.push_back({at, edit.existed, edit.erase, edit.key, edit.location});
    if (!edit.existed) ++count;
    if (edit.erase) --count;
  }
  if (changes_.empty()) return;
  keys_.store(keys_.load(std::memory_order_relaxed) + count - leaf->count,
              std::memory_order_relaxed);
  bool right = false;
  const bool join = MayJoin(leaf->count, count) && Joinable(count, right) != nullptr;
  // Many changes are a reason to pack anew: locations may have come closer to each other.
  if (!join && count > 0 && count <= kMaxLeafKeys && changes_.size() <= 1 + leaf->count / 4u) {
    const std::size_t bytes = RewrittenBytes(*leaf, changes_);
    if (bytes != 0 && bytes <= kMaxLeafBytes) {
      Swing(parent_, Rewrite(*leaf, changes_, memory_.Allocate(bytes)));
      Retire(leaf);
      return;
    }
  }
  ChangeLeaf(leaf, count, join);
}

// Packs all anew, in as many leaves as it takes.
void IndexTree::ChangeLeaf(Leaf* leaf, std::size_t count, bool join) {
  if (!path_known_) Descend(changes_.front().key);
  UnpackChanged(*leaf);
  if (join && JoinLeaf(leaf)) return;
  const bool appended = changes_.front().position == leaf->count;
  const bool at_end = appended && AtEnd();
  made_.Clear();
  if (count > 0) PackLeaves(entries_, appended, memory_, made_);
  Replace(depth_, parent_.child, 1, made_, appended);
  Retire(leaf);
  if (at_end) {
    tail_ = Descend(changes_.back().key);
    tail_parent_ = parent_;
  }
}

// False if it is not known.
bool IndexTree::AtEnd() const noexcept {
  if (at_end_) return true;
  if (!path_known_) return false;
  for (std::size_t level = 0; level < depth_; ++level) {
    if (path_[level].child + 1u < path_[level].node->count) return false;
  }
  return true;
}

// `to` takes the place of the child.
void IndexTree::Swing(const Step& parent, Node* to) noexcept {
  std::atomic<Node*>& place = parent.node == nullptr ? root_ : parent.node->child(parent.child);
  place.store(to, std::memory_order_release);
}

void IndexTree::UnpackChanged(const Leaf& leaf) {
  entries_.Clear();
  std::size_t next = 0;
  for (const LeafChange& change : changes_) {
    entries_.Add(leaf, next, change.position);
    if (!change.erase) entries_.Add(change.key, change.location);
    next = change.position + (change.there ? 1 : 0);
  }
  entries_.Add(leaf, next, leaf.count);
}

// What most splits are: one key more than a leaf may have, of the size of the others.
bool IndexTree::SplitLeaf(Leaf* leaf, const LeafChange& change, std::size_t bytes) {
  if (change.there || leaf->variable() || leaf->count < 2) return false;
  if (!path_known_) Descend(change.key);
  made_.Clear();
  const auto make = [this](const LeafPart& part) {
    made_.AddChild(part.Pack(memory_.Allocate(part.bytes())));
  };
  last_key_.clear();
  if (change.position == leaf->count) {
    // Keys come in ascending order: leaves a full leaf behind, as small as it can be.
    const LeafPart full(*leaf, 0, leaf->count);
    const bool smaller = full.bytes() < leaf->bytes;
    if (smaller) {
      make(full);
    } else {
      made_.AddChild(leaf);
    }
    leaf->AppendKey(leaf->count - 1u, last_key_);
    made_.AddSeparator(Separator(last_key_, change.key));
    entries_.Clear();
    entries_.Add(change.key, change.location);
    const LeafShape shape =
        full.ShapeOfNext(change.key, change.location).value_or(entries_.Measure(0, 1));
    made_.AddChild(entries_.Pack(0, 1, shape, memory_.Allocate(shape.bytes)));
    const bool at_end = AtEnd();
    Replace(depth_, parent_.child, 1, made_, true);
    if (smaller) Retire(leaf);
    if (at_end) {
      tail_ = Descend(change.key);
      tail_parent_ = parent_;
    }
    return true;
  }
  scratch_.resize((bytes + 7) / 8);
  const Leaf& all = *Rewrite(*leaf, change, bytes, scratch_.data());
  const std::size_t middle = all.count / 2u;
  make(LeafPart(all, 0, middle));
  const std::string_view left = all.suffix(middle - 1);
  const std::string_view right = all.suffix(middle);
  made_.AddSeparator(all.prefix(), Separator(left, right));
  make(LeafPart(all, middle, all.count));
  Replace(depth_, parent_.child, 1, made_, false);
  Retire(leaf);
  return true;
}

// The neighbour of the leaf at parent_ that could take its keys; null: none.
Leaf* IndexTree::Joinable(std::size_t keys, bool& right) const noexcept {
  const auto& [parent, child] = parent_;
  if (parent == nullptr || parent->count < 2) return nullptr;
  right = child + 1u < parent->count;
  auto* other = static_cast<Leaf*>(
      parent->child(right ? child + 1 : child - 1).load(std::memory_order_relaxed));
  return keys + other->count <= ThreeQuarters(kMaxLeafKeys) ? other : nullptr;
}

bool IndexTree::JoinLeaf(Leaf* leaf) {
  bool right = false;
  Leaf* const other = Joinable(entries_.size(), right);
  LeafEntries joined;
  if (!right) joined.Add(*other, 0, other->count);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    joined.Add(entries_.key(i), entries_.location(i));
  }
  if (right) joined.Add(*other, 0, other->count);
  if (joined.Measure(0, joined.size()).bytes > ThreeQuarters(kMaxLeafBytes)) return false;
  made_.Clear();
  PackLeaves(joined, false, memory_, made_);
  Replace(depth_, right ? parent_.child : parent_.child - 1, 2, made_, false);
  Retire(leaf);
  Retire(other);
  return true;
}

void IndexTree::Retire(Leaf* leaf) {
  retired_.push_back(leaf);
}

void IndexTree::Retire(Inner* node) {
  node->set_replaced();
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
