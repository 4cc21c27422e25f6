#include "buffer/block.h"

#include <new>
#include <vector>

#include "buffer/io_budget.h"

namespace weir {
namespace {

// Blocks of the common size that this thread freed.
struct FreeBlocks {
  static constexpr std::size_t kMost = 64;
  std::vector<void*> list;
  FreeBlocks() { list.reserve(kMost); }
  ~FreeBlocks() {
    for (void* memory : list) ::operator delete(memory);
    gone = true;
  }
  static thread_local bool gone;  // blocks may be freed while the thread's objects are destroyed
};
thread_local bool FreeBlocks::gone = false;
thread_local FreeBlocks t_free_blocks;

}  // namespace

Ref<Block> Block::Allocate(std::size_t capacity) {
  IoBudget::Take(capacity);
  void* memory = nullptr;
  if (capacity == kCommonSize && !FreeBlocks::gone && !t_free_blocks.list.empty()) {
    memory = t_free_blocks.list.back();
    t_free_blocks.list.pop_back();
  } else {
    memory = ::operator new(sizeof(Block) + capacity);
  }
  return Ref<Block>::Adopt(new (memory) Block(capacity));
}

void Block::Destroy() noexcept {
  IoBudget::Give(capacity_);
  const bool keep = capacity_ == kCommonSize && !FreeBlocks::gone &&
                    t_free_blocks.list.size() < FreeBlocks::kMost;
  void* memory = this;
  this->~Block();
  if (keep) {
    t_free_blocks.list.push_back(memory);
  } else {
    ::operator delete(memory);
  }
}

}  // namespace weir
