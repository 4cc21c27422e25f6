#include "buffer/block.h"

#include <array>
#include <bit>
#include <new>

#include "buffer/io_budget.h"

namespace weir {
namespace {

// Sizes are 16, 24, 32, 48, 64, ... KiB.
constexpr std::size_t kSizes = 15;
constexpr std::size_t kNoSize = kSizes;

constexpr std::size_t SizeAt(std::size_t index) noexcept {
  const std::size_t power = Block::kCommonSize << (index / 2);
  return index % 2 == 0 ? power : power + power / 2;
}
static_assert(SizeAt(0) == Block::kCommonSize && SizeAt(kSizes - 1) == Block::kLargestKept);

// Which size serves `capacity`; kNoSize if it gets exactly what it asks for.
constexpr std::size_t SizeFor(std::size_t capacity) noexcept {
  if (capacity <= Block::kCommonSize / 2 || capacity > Block::kLargestKept) return kNoSize;
  if (capacity <= Block::kCommonSize) return 0;
  const auto doublings =
      static_cast<std::size_t>(std::bit_width((capacity - 1) / Block::kCommonSize)) - 1;
  const std::size_t below = 2 * doublings;  // SizeAt(below) < capacity <= SizeAt(below + 2)
  return capacity <= SizeAt(below + 1) ? below + 1 : below + 2;
}
static_assert(SizeFor(Block::kCommonSize + 1) == 1 && SizeFor(SizeAt(1)) == 1 &&
              SizeFor(SizeAt(1) + 1) == 2 && SizeFor(SizeAt(4)) == 4 && SizeFor(SizeAt(5)) == 5);

struct FreeBlock {
  FreeBlock* next;
};

// What this thread freed, by size.
struct FreeBlocks {
  std::array<FreeBlock*, kSizes> first{};
  std::size_t bytes = 0;
  ~FreeBlocks() {
    gone = true;
    for (FreeBlock* block : first) {
      while (block != nullptr) {
        FreeBlock* next = block->next;
        ::operator delete(block);
        block = next;
      }
    }
  }
  static thread_local bool gone;  // blocks may be freed while the thread's objects are destroyed
};
thread_local bool FreeBlocks::gone = false;
thread_local FreeBlocks t_free_blocks;

}  // namespace

Ref<Block> Block::Allocate(std::size_t capacity) {
  const std::size_t size = SizeFor(capacity);
  if (size != kNoSize) capacity = SizeAt(size);
  IoBudget::Take(capacity);
  void* memory = nullptr;
  if (size != kNoSize && !FreeBlocks::gone && t_free_blocks.first[size] != nullptr) {
    FreeBlock* kept = t_free_blocks.first[size];
    t_free_blocks.first[size] = kept->next;
    t_free_blocks.bytes -= capacity;
    memory = kept;
  } else {
    memory = ::operator new(sizeof(Block) + capacity);
  }
  return Ref<Block>::Adopt(new (memory) Block(capacity));
}

void Block::Destroy() noexcept {
  const std::size_t capacity = capacity_;
  IoBudget::Give(capacity);
  const std::size_t size = SizeFor(capacity);
  void* memory = this;
  this->~Block();
  if (size != kNoSize && !FreeBlocks::gone && t_free_blocks.bytes + capacity <= kMostKept) {
    t_free_blocks.first[size] = new (memory) FreeBlock{t_free_blocks.first[size]};
    t_free_blocks.bytes += capacity;
  } else {
    ::operator delete(memory);
  }
}

}  // namespace weir
