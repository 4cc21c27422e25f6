#include <utility>

#include "index_tree.h"

namespace weir::kv {

LeafBuilder::~LeafBuilder() {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    memory_.Free(leaves_.child(i), leaves_.child(i)->bytes);
  }
}

void LeafBuilder::Add(std::string_view key, const Location& location) {
  if (keys_ == 0 && entries_.size() == 0) first_key_ = key;
  entries_.Add(key, location);
  if (entries_.size() == IndexTree::kMaxLeafKeys) Flush();
}

void LeafBuilder::Flush() {
  if (entries_.size() == 0) return;
  if (leaves_.size() > 0) leaves_.AddSeparator(Separator(last_key_, entries_.key(0)));
  InnerParts made;
  PackLeaves(entries_, true, memory_, made);
  leaves_.Add(made);
  last_key_ = entries_.key(entries_.size() - 1);
  keys_ += entries_.size();
  entries_.Clear();
}

void IndexTree::Load(std::span<LeafBuilder* const> ranges) {
  InnerParts leaves;
  std::uint64_t keys = 0;
  std::string last_key;
  for (LeafBuilder* range : ranges) {
    range->Flush();
    if (range->leaves_.size() == 0) continue;
    if (leaves.size() > 0) leaves.AddSeparator(Separator(last_key, range->first_key_));
    leaves.Add(range->leaves_);
    range->leaves_.Clear();
    last_key = range->last_key_;
    keys += std::exchange(range->keys_, 0);
    memory_.Adopt(range->memory_);
  }
  ReplaceRoot(leaves, true);
  keys_.store(keys, std::memory_order_relaxed);
  memory_bytes_.store(memory_.bytes(), std::memory_order_relaxed);
}

}  // namespace weir::kv
