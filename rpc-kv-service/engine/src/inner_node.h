// An inner node of the index: child pointers, and between them the shortest keys that separate
// them.
//
//     | Inner | heads 8 x (count-1) | children 8 x count | ends 4 x (count-1) | prefix | rests |
//     slack |
//
// The separators' common prefix is kept once; the head of a separator is the first 8 bytes behind
// it, as a number, and decides nearly every comparison.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node.h"

namespace weir::kv {

// For readers all but the child pointers is immutable. Child i has the keys k with
// separator(i - 1) <= k < separator(i).
class Inner : public Node {
 public:
  std::atomic<Node*>& child(std::size_t i) noexcept { return Children()[i]; }
  const std::atomic<Node*>& child(std::size_t i) const noexcept { return Children()[i]; }

  std::size_t ChildFor(std::string_view key) const noexcept;
  // Like key.compare(separator(i)).
  int CompareToSeparator(std::string_view key, std::size_t i) const noexcept;

  // The writer's: another node has taken its place.
  bool replaced() const noexcept { return replaced_; }
  void set_replaced() noexcept { replaced_ = true; }

  std::string_view prefix() const noexcept { return {Prefix(), prefix_size_}; }
  std::string_view rest(std::size_t i) const noexcept {
    const std::uint32_t begin = i == 0 ? 0 : Ends()[i - 1];
    return {Prefix() + prefix_size_ + begin, Ends()[i] - begin};
  }

 private:
  friend class InnerParts;
  friend class InnerSplice;
  const std::uint64_t* Heads() const noexcept {
    return reinterpret_cast<const std::uint64_t*>(this + 1);
  }
  const std::atomic<Node*>* Children() const noexcept {
    return std::launder(reinterpret_cast<const std::atomic<Node*>*>(Heads() + (count - 1)));
  }
  std::atomic<Node*>* Children() noexcept {
    return const_cast<std::atomic<Node*>*>(std::as_const(*this).Children());
  }
  const std::uint32_t* Ends() const noexcept {
    return reinterpret_cast<const std::uint32_t*>(Children() + count);
  }
  const char* Prefix() const noexcept {
    return reinterpret_cast<const char*>(Ends() + (count - 1));
  }

  std::uint32_t prefix_size_;
  bool replaced_;  // readers do not look at it
};
static_assert(sizeof(Inner) == 16 && sizeof(std::atomic<Node*>) == 8);

// Children and separators that are to become inner nodes. Memory is used again.
class InnerParts {
 public:
  void Clear() noexcept {
    children_.clear();
    text_.clear();
    ends_.clear();
  }
  // Starts with a child, then separators and children take turns.
  void AddChild(Node* child) { children_.push_back(child); }
  void AddSeparator(std::string_view first, std::string_view second = {}) {
    text_.append(first).append(second);
    ends_.push_back(text_.size());
  }
  // The children [from, to) of a node with the separators between them.
  void Add(const Inner& node, std::size_t from, std::size_t to);
  void Add(const InnerParts& other);

  std::size_t size() const noexcept { return children_.size(); }
  Node* child(std::size_t i) const noexcept { return children_[i]; }
  std::string_view separator(std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {text_.data() + begin, ends_[i] - begin};
  }

  std::string_view separators() const noexcept { return text_; }  // one after the other

  std::size_t BytesFor(std::size_t from, std::size_t to) const noexcept;
  Inner* Pack(std::size_t from, std::size_t to, std::uint8_t level, void* memory) const noexcept;

 private:
  std::vector<Node*> children_;
  std::string text_;
  std::vector<std::size_t> ends_;  // in text_
};

// The same node with others in the place of the children [from, from + count). Copies runs of
// bytes, and is what makes a split or a join of leaves cheap.
class InnerSplice {
 public:
  InnerSplice(const Inner& node, std::size_t from, std::size_t count,
              const InnerParts& made) noexcept;

  std::size_t children() const noexcept { return children_; }
  // 0: it cannot be done like this; a separator does not begin with the prefix, or none is left.
  std::size_t bytes() const noexcept { return bytes_; }
  Inner* Pack(void* memory) const noexcept;

 private:
  std::uint32_t End(std::size_t i) const noexcept { return i == 0 ? 0 : node_.Ends()[i - 1]; }

  const Inner& node_;
  const std::size_t from_;
  const std::size_t count_;
  const InnerParts& made_;
  std::size_t first_;  // separator that goes
  std::size_t gone_;   // how many go
  std::size_t added_;  // and come
  std::size_t children_;
  std::size_t bytes_ = 0;
};

}  // namespace weir::kv
