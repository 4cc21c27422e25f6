// The ordered tree of the index: a B+tree of packed leaves. One writer at a time; readers take no
// lock and never wait.
//
// What is published never changes but for the child pointers of inner nodes. A change of a leaf
// makes a new leaf and swings one pointer; a split or a join makes new inner nodes up to where one
// pointer is enough. So a reader sees, for every key, a state that was true while it read. What was
// replaced is freed when all have left who were pinned then.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index_portion.h"
#include "inner_node.h"
#include "node_memory.h"
#include "packed_leaf.h"

namespace weir::kv {

// What is to become of one key.
struct KeyEdit {
  std::string_view key;
  Location location;  // unless it is erased
  bool erase = false;
  bool existed = false;  // out
  Location was{};        // out, if it existed

  // The tree's, from Look to Apply: where the key belongs; no parent: the tree has to be asked.
  Inner* parent = nullptr;
  std::size_t child = 0;
  const Leaf* leaf = nullptr;  // in which its position has been found
  std::size_t position = 0;
};

// Leaves of ascending keys, to become a part of a tree. One thread.
class LeafBuilder {
 public:
  LeafBuilder() = default;
  LeafBuilder(LeafBuilder&& other) = default;
  ~LeafBuilder();

  // `key` is above all before it.
  void Add(std::string_view key, const Location& location);
  std::uint64_t keys() const noexcept { return keys_ + entries_.size(); }

 private:
  friend class IndexTree;
  void Flush();  // the entries become leaves

  NodeMemory memory_;
  LeafEntries entries_;
  InnerParts leaves_;
  std::string first_key_;
  std::string last_key_;    // of the leaves
  std::uint64_t keys_ = 0;  // in the leaves
};

class IndexTree {
 public:
  static constexpr std::size_t kMaxLeafKeys = 64;
  static constexpr std::size_t kMaxLeafBytes = 3072;  // unless it has only one key
  static constexpr std::size_t kMaxChildren = 128;
  static constexpr std::size_t kMaxInnerBytes = std::size_t{32} << 10;  // of 4 children and more

  IndexTree() = default;
  IndexTree(const IndexTree&) = delete;
  IndexTree& operator=(const IndexTree&) = delete;
  ~IndexTree();

  // Any threads; pinned by Epochs.
  std::optional<Location> Find(std::string_view key) const noexcept;
  // Appends up to `most` keys. False: there are no more in the range.
  bool Collect(const IndexRange& range, std::size_t most, IndexPortion& out) const;
  std::uint64_t keys() const noexcept { return keys_.load(std::memory_order_relaxed); }
  std::uint64_t memory_bytes() const noexcept {
    return memory_bytes_.load(std::memory_order_relaxed);
  }

  // The writer. Edits are in ascending order of keys, each key once.
  void Apply(std::span<KeyEdit> edits);
  // What the keys are, without changing them; brings the nodes into the cache, and spares Apply
  // the way down if nothing happens in between.
  void Look(std::span<KeyEdit> edits) noexcept;
  // True if the last changes were appended and the key would be, too: Apply does not need Look.
  bool Appends(std::string_view key) const noexcept {
    return tail_ != nullptr && tail_->EndsBelow(key);
  }
  // The tree is empty; the ranges are in ascending order, and empty afterwards.
  void Load(std::span<LeafBuilder* const> ranges);
  // Frees what may be freed now.
  void Reclaim();

 private:
  static constexpr std::size_t kMaxDepth = 48;
  static constexpr std::size_t kRetireBatch = 32;

  struct Step {
    Inner* node;
    std::size_t child;
  };
  struct Retired {
    std::uint64_t epoch;
    std::vector<Node*> nodes;
  };

  bool CollectForward(const IndexRange& range, std::size_t most, IndexPortion& out) const;
  bool CollectReverse(const IndexRange& range, std::size_t most, IndexPortion& out) const;

  void Start(std::span<const KeyEdit> edits);    // the tree is empty
  Leaf* Descend(std::string_view key) noexcept;  // fills path_ and parent_
  Leaf* Reach(std::span<KeyEdit> edits, std::size_t& count) noexcept;
  bool AtEnd() const noexcept;  // the leaf that is being changed is the last
  std::size_t EditsOfLeaf(std::span<const KeyEdit> edits) const noexcept;
  void EditLeaf(Leaf* leaf, std::span<KeyEdit> edits);
  void EditLeaf(Leaf* leaf, KeyEdit& edit);
  void ChangeLeaf(Leaf* leaf, std::size_t count, bool join);  // by changes_; `count` is left
  void Swing(const Step& parent, Node* to) noexcept;
  bool SplitLeaf(Leaf* leaf, const LeafChange& change, std::size_t bytes);
  bool JoinLeaf(Leaf* leaf);  // with a neighbour; by entries_
  Leaf* Joinable(std::size_t keys, bool& right) const noexcept;
  void UnpackChanged(const Leaf& leaf);  // with changes_, into entries_
  void Replace(std::size_t depth, std::size_t from, std::size_t count, const InnerParts& made,
               bool appended);
  bool Splice(std::size_t depth, std::size_t from, std::size_t count, const InnerParts& made);
  void ReplaceRoot(const InnerParts& made, bool appended);
  void PackInner(const InnerParts& parts, std::uint8_t level, bool appended, InnerParts& made);
  void Retire(Leaf* leaf);
  void Retire(Inner* node);
  void FreeAll(Node* node) noexcept;

  std::atomic<Node*> root_{nullptr};
  std::atomic<std::uint64_t> keys_{0};
  std::atomic<std::uint64_t> memory_bytes_{0};

  // The writer's.
  NodeMemory memory_;
  std::array<Step, kMaxDepth> path_;
  std::size_t depth_ = 0;    // of path_
  Step parent_{};            // of the leaf that is being changed; none: it is the root
  bool path_known_ = false;  // path_ leads there
  bool at_end_ = false;      // to the last leaf, whether path_ is known or not
  Leaf* tail_ = nullptr;     // the last leaf, if the last change was behind its end
  Step tail_parent_{};
  std::vector<LeafChange> changes_;
  LeafEntries entries_;
  InnerParts made_;
  std::vector<std::uint64_t> scratch_;
  std::string last_key_;
  std::vector<Node*> retired_;
  std::deque<Retired> waiting_;
};

// Leaves of all the entries, at least one; `appended`: full ones, but for the last.
void PackLeaves(const LeafEntries& entries, bool appended, NodeMemory& memory, InnerParts& made);

}  // namespace weir::kv
