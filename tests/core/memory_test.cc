// Memory that threads keep: blocks, small objects, messages. And what an outbox takes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "buffer/block.h"
#include "buffer/io_budget.h"
#include "buffer/outbox.h"
#include "weir/detail/recycle.h"

namespace weir {
namespace {

// On a thread of its own, which has kept nothing yet.
template <class F>
void OnFreshThread(F&& work) {
  std::thread(std::forward<F>(work)).join();
}

TEST(Blocks, HoldWhatWasAskedForAndAtMostHalfMore) {
  for (std::size_t bytes = 1; bytes < 3u << 20; bytes += bytes / 7 + 1) {
    const Ref<Block> block = Block::Allocate(bytes);
    EXPECT_GE(block->capacity(), bytes);
    EXPECT_LE(block->capacity(), std::max(bytes + bytes / 2, Block::kCommonSize)) << bytes;
    std::memset(block->data(), 1, block->capacity());
  }
}

TEST(Blocks, AreUsedAgainByTheirSize) {
  OnFreshThread([] {
    for (const std::size_t bytes : {std::size_t{9'000}, std::size_t{64 * 1024 + 24},
                                    std::size_t{300'000}, Block::kLargestKept}) {
      const char* const memory = Block::Allocate(bytes)->data();
      EXPECT_EQ(Block::Allocate(bytes)->data(), memory) << bytes;
    }
  });
}

TEST(Blocks, AreKeptUpToALimitAndLeaveTheBudget) {
  OnFreshThread([] {
    const std::size_t before = IoBudget::used();
    std::vector<Ref<Block>> blocks;
    for (int i = 0; i < 20; ++i) blocks.push_back(Block::Allocate(1u << 20));
    EXPECT_EQ(IoBudget::used(), before + (20u << 20));
    std::vector<const char*> memory;
    for (const auto& block : blocks) memory.push_back(block->data());
    blocks.clear();
    // What is only kept is not in use.
    EXPECT_EQ(IoBudget::used(), before);
  });
}

TEST(Outboxes, OfOneFrameTakeNoMoreThanItNeeds) {
  Outbox common;
  Outbox small(0);
  common.Append("frame");
  const std::size_t before = IoBudget::used();
  small.Append("frame");
  EXPECT_EQ(IoBudget::used(), before + 5);
}

TEST(RecycledBytes, AreUsedAgainAndMove) {
  OnFreshThread([] {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{128}, std::size_t{1024},
                                    std::size_t{1025}, std::size_t{16 * 1024}}) {
      const char* memory = nullptr;
      {
        detail::RecycledBytes first(bytes);
        memory = first.data();
        std::memset(first.data(), 'x', bytes);
        detail::RecycledBytes second(std::move(first));
        EXPECT_EQ(second.data(), memory);
        EXPECT_EQ(second.view(), std::string(bytes, 'x'));
      }
      EXPECT_EQ(detail::RecycledBytes(bytes).data(), memory) << bytes;
    }
    EXPECT_TRUE(detail::RecycledBytes(0).view().empty());
    detail::RecycledBytes large(20'000);  // not recycled, and good all the same
    std::memset(large.data(), 'x', large.size());
  });
}

TEST(KeptMessages, OfAThreadHaveALimitTogether) {
  OnFreshThread([] {
    std::size_t first = 0;
    std::size_t second = 0;
    EXPECT_TRUE(detail::MayKeep(3u << 20, first));
    EXPECT_TRUE(detail::MayKeep(2u << 20, first)) << "it has been larger";
    EXPECT_FALSE(detail::MayKeep(2u << 20, second));
    EXPECT_EQ(second, 0u);
    EXPECT_TRUE(detail::MayKeep(1u << 20, second));
    EXPECT_FALSE(detail::MayKeep(2u << 20, second));
  });
}

}  // namespace
}  // namespace weir
