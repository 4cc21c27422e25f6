// Block: memory that connections read into and write from, shared by the slices that point into it.
#pragma once

#include <cstddef>

#include "weir/buffer.h"

namespace weir {

// Header and bytes are one allocation, counted against the IoBudget. Blocks of kCommonSize are kept
// by the thread that frees them, for the next one.
class Block final : public RefCounted {
 public:
  static constexpr std::size_t kCommonSize = 16 * 1024;

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
