#include "weir/detail/recycle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <new>

namespace weir::detail {
namespace {

// Steps of 128 bytes up to 1 KiB, then powers of two up to 16 KiB.
constexpr std::size_t kStep = 128;
constexpr std::size_t kSmallClasses = 8;
constexpr std::size_t kClasses = kSmallClasses + 4;
constexpr std::size_t kMostKeptBytes = 256 * 1024;  // of each class
constexpr std::uint32_t kMostKept = 256;
// In messages kept by a thread.
constexpr std::size_t kMostMessageBytes = 4 * 1024 * 1024;
thread_local std::size_t t_message_bytes = 0;

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

// `bytes` of 0 gives a number above kClasses: such memory is not recycled.
constexpr std::size_t ClassOf(std::size_t bytes) noexcept {
  if (bytes <= kSmallClasses * kStep) return (bytes - 1) / kStep;
  return kSmallClasses + static_cast<std::size_t>(std::bit_width((bytes - 1) >> 11));
}
constexpr std::size_t BytesOf(std::size_t kind) noexcept {
  if (kind < kSmallClasses) return (kind + 1) * kStep;
  return std::size_t{2048} << (kind - kSmallClasses);
}
static_assert(ClassOf(1024) == 7 && ClassOf(1025) == 8 && ClassOf(2048) == 8 &&
              ClassOf(2049) == 9 && ClassOf(16384) == 11 && ClassOf(16385) == 12 &&
              BytesOf(ClassOf(1025)) == 2048 && BytesOf(ClassOf(16384)) == 16384);
constexpr std::uint32_t MostOf(std::size_t kind) noexcept {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(kMostKept, kMostKeptBytes / BytesOf(kind)));
}

}  // namespace

void* AllocateRecycled(std::size_t bytes) {
  const std::size_t kind = ClassOf(bytes);
  if (kind >= kClasses) return ::operator new(bytes);
  if (FreeLists::gone || t_free.first[kind] == nullptr) {
    return ::operator new(BytesOf(kind));
  }
  FreeNode* node = t_free.first[kind];
  t_free.first[kind] = node->next;
  --t_free.count[kind];
  return node;
}

void FreeRecycled(void* memory, std::size_t bytes) noexcept {
  const std::size_t kind = ClassOf(bytes);
  if (kind >= kClasses || FreeLists::gone || t_free.count[kind] >= MostOf(kind)) {
    ::operator delete(memory);
    return;
  }
  t_free.first[kind] = new (memory) FreeNode{t_free.first[kind]};
  ++t_free.count[kind];
}

bool RaiseKept(std::size_t bytes, std::size_t& most_bytes) noexcept {
  const std::size_t more = bytes - most_bytes;
  if (t_message_bytes + more > kMostMessageBytes) return false;
  t_message_bytes += more;
  most_bytes = bytes;
  return true;
}

}  // namespace weir::detail
