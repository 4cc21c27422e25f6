// Block: memory that connections read into and write from, shared by the slices that point into it.
#pragma once

#include <cstddef>

#include "weir/buffer.h"

namespace weir {

// Header and bytes are one allocation, counted against the IoBudget. Blocks between half of
// kCommonSize and kLargestKept come in sizes a third or a half apart, and the thread that frees one
// keeps it for the next, up to kMostKept bytes: fresh memory of that size costs a page fault for
// every 4 KiB, which is more than copying into it.
class Block final : public RefCounted {
 public:
  static constexpr std::size_t kCommonSize = 16 * 1024;
  static constexpr std::size_t kLargestKept = 2 * 1024 * 1024;
  static constexpr std::size_t kMostKept = 8 * 1024 * 1024;

  // At least `capacity` bytes of room.
  static Ref<Block> Allocate(std::size_t capacity);

  char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  explicit Block(std::size_t capacity) noexcept : capacity_(capacity) {}
  ~Block() override = default;
  void Destroy() noexcept override;

  std::size_t capacity_;
};

}  // namespace weir
