#include "epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

namespace weir::kv {
namespace {

// Counts itself, and knows if it is destroyed.
struct Node {
  static constexpr std::uint64_t kAlive = 0x600dfeed;
  explicit Node(std::atomic<int>& alive) : alive_(alive) { alive_.fetch_add(1); }
  ~Node() {
    state = 0;
    alive_.fetch_sub(1);
  }
  std::uint64_t state = kAlive;
  std::atomic<int>& alive_;
};

TEST(Epochs, DestroysAtOnceWhenNobodyIsPinned) {
  std::atomic<int> alive{0};
  Epochs epochs;
  epochs.Retire(new Node(alive));
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(epochs.Collect(), 0u);
  EXPECT_EQ(alive, 0);
}

TEST(Epochs, KeepsWhatIsRetiredWhileAPinLives) {
  std::atomic<int> alive{0};
  Epochs epochs;
  {
    const auto pin = epochs.Enter();
    for (int i = 0; i < 1000; ++i) epochs.Retire(new Node(alive));
    EXPECT_EQ(epochs.Collect(), 1000u);
    EXPECT_EQ(alive, 1000);
    { const auto inner = epochs.Enter(); }
    EXPECT_EQ(epochs.Collect(), 1000u) << "the end of an inner pin ended the outer one";
  }
  EXPECT_EQ(epochs.Collect(), 0u);
  EXPECT_EQ(alive, 0);
}

TEST(Epochs, APinThatBeganLaterDoesNotKeepWhatWasRetiredBefore) {
  std::atomic<int> alive{0};
  Epochs epochs;
  epochs.Retire(new Node(alive));
  std::optional<Epochs::Pin> early(epochs.Enter());
  EXPECT_EQ(epochs.Collect(), 1u);
  std::latch entered(1);
  std::latch leave(1);
  std::thread late([&] {
    const auto pin = epochs.Enter();
    entered.count_down();
    leave.wait();
  });
  entered.wait();
  early.reset();
  EXPECT_EQ(epochs.Collect(), 0u);
  EXPECT_EQ(alive, 0);
  leave.count_down();
  late.join();
}

TEST(Epochs, AMovedPinEndsOnce) {
  std::atomic<int> alive{0};
  Epochs epochs;
  {
    auto first = epochs.Enter();
    const auto second = std::move(first);
    epochs.Retire(new Node(alive));
    EXPECT_EQ(epochs.Collect(), 1u);
  }
  EXPECT_EQ(epochs.Collect(), 0u);
}

TEST(Epochs, TheEndDestroysAll) {
  std::atomic<int> alive{0};
  {
    Epochs epochs;
    for (int i = 0; i < 100; ++i) epochs.Retire(new Node(alive));
  }
  EXPECT_EQ(alive, 0);
}

TEST(Epochs, RetiringManyDestroysMostWithoutBeingAsked) {
  std::atomic<int> alive{0};
  Epochs epochs;
  for (int i = 0; i < 10'000; ++i) epochs.Retire(new Node(alive));
  EXPECT_LT(alive, 200);
}

TEST(Epochs, ReadersNeverSeeADestroyedObjectWhileThreadsComeAndGo) {
  constexpr int kSlots = 16;
  constexpr int kReaders = 3;
  constexpr int kRounds = 8;
  constexpr int kReplacements = 20'000;
  std::atomic<int> alive{0};
  {
    Epochs epochs;
    std::array<std::atomic<Node*>, kSlots> slots{};
    for (auto& slot : slots) slot = new Node(alive);
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<std::uint64_t> reads{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < kReaders; ++r) {
      readers.emplace_back([&, r] {
        while (!stop) {
          // Each round is a thread of its own, so that readers are registered again and again.
          std::thread([&, r] {
            for (int i = 0; i < 2000; ++i) {
              const auto pin = epochs.Enter();
              const Node* node = slots[(i * 7 + r) % kSlots].load(std::memory_order_acquire);
              if (node->state != Node::kAlive) wrong.fetch_add(1);
              reads.fetch_add(1, std::memory_order_relaxed);
            }
          }).join();
        }
      });
    }
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kReplacements / kRounds; ++i) {
        epochs.Retire(slots[i % kSlots].exchange(new Node(alive), std::memory_order_acq_rel));
      }
      const std::uint64_t before = reads;
      while (reads == before) std::this_thread::yield();
    }
    stop = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(epochs.Collect(), 0u);
    EXPECT_EQ(alive, kSlots);
    for (auto& slot : slots) delete slot.load();
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace weir::kv
