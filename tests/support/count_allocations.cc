#include "support/count_allocations.h"

#include <cstdlib>
#include <new>

namespace weir::test {

constinit std::atomic<long> allocations{0};

}  // namespace weir::test

namespace {

// These two are not inlined: GCC would see new meet free and take it for a mistake.
[[gnu::noinline]] void* Allocate(std::size_t size) {
  weir::test::allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void Release(void* memory) noexcept {
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  return Allocate(size);
}
void* operator new[](std::size_t size) {
  return Allocate(size);
}
void operator delete(void* memory) noexcept {
  Release(memory);
}
void operator delete[](void* memory) noexcept {
  Release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  Release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  Release(memory);
}
