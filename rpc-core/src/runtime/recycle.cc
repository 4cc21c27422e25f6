#include "weir/detail/recycle.h"

#include <array>
#include <cstdint>
#include <new>

namespace weir::detail {
namespace {

constexpr std::size_t kStep = 128;
constexpr std::size_t kClasses = 8;       // up to 1 KiB
constexpr std::uint32_t kMostKept = 256;  // of each class

struct FreeNode {
  FreeNode* next;
};

struct FreeLists {
  std::array<FreeNode*, kClasses> first{};
  std::array<std::uint32_t, kClasses> count{};
  ~FreeLists() {
    gone = true;
    for (FreeNode* node : first) {
      while (node != nullptr) {
        FreeNode* next = node->next;
        ::operator delete(node);
        node = next;
      }
    }
  }
  static thread_local bool gone;
};
thread_local bool FreeLists::gone = false;
thread_local FreeLists t_free;

constexpr std::size_t ClassOf(std::size_t bytes) noexcept {
  return (bytes - 1) / kStep;
}

}  // namespace

void* AllocateRecycled(std::size_t bytes) {
  const std::size_t kind = ClassOf(bytes);
  if (kind >= kClasses) return ::operator new(bytes);
  if (FreeLists::gone || t_free.first[kind] == nullptr) return ::operator new((kind + 1) * kStep);
  FreeNode* node = t_free.first[kind];
  t_free.first[kind] = node->next;
  --t_free.count[kind];
  return node;
}

void FreeRecycled(void* memory, std::size_t bytes) noexcept {
  const std::size_t kind = ClassOf(bytes);
  if (kind >= kClasses || FreeLists::gone || t_free.count[kind] >= kMostKept) {
    ::operator delete(memory);
    return;
  }
  t_free.first[kind] = new (memory) FreeNode{t_free.first[kind]};
  ++t_free.count[kind];
}

}  // namespace weir::detail
