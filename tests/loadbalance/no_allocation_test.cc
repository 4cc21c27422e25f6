// A pick allocates nothing, counted by replacing operator new in this program.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "loadbalance/fleet.h"

namespace {
std::atomic<long> allocations{0};

void* Allocate(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) {
  return Allocate(size);
}
void* operator new[](std::size_t size) {
  return Allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace weir {
namespace {

TEST(Pick, AllocatesNothing) {
  std::vector<std::string> texts = kTheFive;
  texts.insert(texts.end(), {"consistent_hash:hash=seed", "consistent_hash:hash=xxh64",
                             "consistent_hash:bound=1.25"});
  const long before_any = allocations;
  for (const std::string& text : texts) {
    for (const std::size_t n : {1, 10, 1000}) {
      for (const std::int32_t spread : {1, 10'000}) {
        std::vector<std::int32_t> weights;
        for (std::size_t i = 0; i < n; ++i) {
          weights.push_back(1 +
                            static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(spread)));
        }
        const Balanced balanced(text, Providers(weights));
        const Index excluded[] = {0, 3, 5};
        const std::string key =
            "gr\xc3\xbc\xc3\x9f"
            "e an alle, die hier vorbeikommen";
        std::mt19937_64 words(kSeed);
        const long before = allocations;
        Index sum = 0;
        for (int i = 0; i < 200; ++i) {
          PickContext context = {.sequence = words(), .random = words()};
          if (i % 4 == 0) context.excluded = excluded;
          RequestView request = {.method = "a.B/C"};
          if (i % 2 == 0) request = {"a.B/C", key, words(), true};
          sum += balanced.Pick(context, request);
        }
        EXPECT_EQ(allocations - before, 0) << text << " over " << n << ", sum " << sum;
      }
    }
  }
  EXPECT_GT(allocations - before_any, 0) << "the counter counts";
}

}  // namespace
}  // namespace weir
