// An inner node of the index: child pointers, and between them the shortest keys that separate
// them.
//
//     | Inner | children 8 x count | heads 8 x (count-1) | ends 4 x (count-1) | prefix | rests |
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
#include <vector>

#include "node.h"

namespace weir::kv {

// All but the child pointers is immutable. Child i has the keys k with
// separator(i - 1) <= k < separator(i).
class Inner : public Node {
 public:
  std::atomic<Node*>& child(std::size_t i) noexcept { return Children()[i]; }
  const std::atomic<Node*>& child(std::size_t i) const noexcept { return Children()[i]; }

  std::size_t ChildFor(std::string_view key) const noexcept;
  // Like key.compare(separator(i)).
  int CompareToSeparator(std::string_view key, std::size_t i) const noexcept;

  std::string_view prefix() const noexcept { return {Prefix(), prefix_size_}; }
  std::string_view rest(std::size_t i) const noexcept {
    const std::uint32_t begin = i == 0 ? 0 : Ends()[i - 1];
    return {Prefix() + prefix_size_ + begin, Ends()[i] - begin};
  }

 private:
  friend class InnerParts;
  const std::atomic<Node*>* Children() const noexcept {
    return std::launder(reinterpret_cast<const std::atomic<Node*>*>(this + 1));
  }
  std::atomic<Node*>* Children() noexcept {
    return std::launder(reinterpret_cast<std::atomic<Node*>*>(this + 1));
  }
  const std::uint64_t* Heads() const noexcept {
    return reinterpret_cast<const std::uint64_t*>(Children() + count);
  }
  const std::uint32_t* Ends() const noexcept {
    return reinterpret_cast<const std::uint32_t*>(Heads() + (count - 1));
  }
  const char* Prefix() const noexcept {
    return reinterpret_cast<const char*>(Ends() + (count - 1));
  }

  std::uint32_t prefix_size_;
  std::uint32_t unused_;
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

  std::size_t BytesFor(std::size_t from, std::size_t to) const noexcept;
  Inner* Pack(std::size_t from, std::size_t to, std::uint8_t level, void* memory) const noexcept;

 private:
  std::vector<Node*> children_;
  std::string text_;
  std::vector<std::size_t> ends_;  // in text_
};

}  // namespace weir::kv
