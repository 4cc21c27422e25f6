// The parts of the runtime that threads meet in.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/mailbox.h"
#include "runtime/reactor.h"
#include "runtime/worker_pool.h"
#include "weir/detail/recycle.h"
#include "weir/runtime.h"

namespace weir::test {
namespace {

struct Letter : detail::Task {
  int producer = 0;
  int number = 0;
};

TEST(Mailboxes, EveryTaskComesOutOnceAndInItsProducersOrder) {
  constexpr int kProducers = 4;
  constexpr int kLetters = 20'000;
  Mailbox mailbox;
  std::vector<std::vector<Letter>> letters(kProducers);
  std::vector<std::thread> producers;
  std::atomic<int> wakeups{0};
  for (int p = 0; p < kProducers; ++p) {
    letters[static_cast<std::size_t>(p)].resize(kLetters);
    producers.emplace_back([&, p] {
      for (int i = 0; i < kLetters; ++i) {
        Letter& letter = letters[static_cast<std::size_t>(p)][static_cast<std::size_t>(i)];
        letter.producer = p;
        letter.number = i;
        if (mailbox.Put(&letter)) ++wakeups;
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  int taken = 0;
  int rounds = 0;
  while (taken < kProducers * kLetters) {
    detail::Task* task = mailbox.TakeAll();
    if (task != nullptr) ++rounds;
    for (; task != nullptr; task = task->next, ++taken) {
      const Letter& letter = *static_cast<Letter*>(task);
      ASSERT_EQ(letter.number, next[static_cast<std::size_t>(letter.producer)]++);
    }
  }
  for (std::thread& thread : producers) thread.join();
  EXPECT_EQ(wakeups, rounds);  // one for each time it was empty
}

TEST(Reactors, RunTasksOfOtherThreadsAndTimersOnTheirOwn) {
  Reactor reactor(0);
  std::thread thread([&] { reactor.Run(); });
  std::promise<bool> on_reactor;
  reactor.PostFunction([&] { on_reactor.set_value(reactor.IsCurrent()); });
  EXPECT_TRUE(on_reactor.get_future().get());
  struct Timer : detail::TimerNode {
    std::promise<Reactor::Clock::time_point> fired;
  } timer;
  timer.fire = [](detail::TimerNode* node) noexcept {
    static_cast<Timer*>(node)->fired.set_value(Reactor::Clock::now());
  };
  const auto expiry = Reactor::Clock::now() + std::chrono::milliseconds(20);
  reactor.PostFunction([&] { reactor.SetTimer(timer, expiry); });
  EXPECT_GE(timer.fired.get_future().get(), expiry);
  reactor.Stop();
  thread.join();
  bool ran = false;
  reactor.PostFunction([&] { ran = true; });
  reactor.Finish();
  EXPECT_TRUE(ran);
}

// A task that runs a function, once.
struct FunctionTask : detail::Task {
  explicit FunctionTask(std::function<void()> f) : function(std::move(f)) {
    run = [](detail::Task* task) noexcept {
      const std::unique_ptr<FunctionTask> self(static_cast<FunctionTask*>(task));
      self->function();
    };
  }
  std::function<void()> function;
};

bool Submit(WorkerPool& pool, std::function<void()> work) {
  auto task = std::make_unique<FunctionTask>(std::move(work));
  if (!pool.Submit(task.get())) return false;
  static_cast<void>(task.release());
  return true;
}

TEST(WorkerPools, RefuseAboveTheirQueueAndFinishWhatTheyTook) {
  std::atomic<int> ran{0};
  int taken = 0;
  {
    std::latch go(1);
    std::latch busy(2);
    WorkerPool pool(2, 5);
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(Submit(pool, [&] {
        busy.count_down();
        go.wait();
        ++ran;
      }));
    }
    busy.wait();  // both workers are held, so that the queue fills
    while (Submit(pool, [&] { ++ran; })) ++taken;
    EXPECT_EQ(taken, 5);
    go.count_down();
  }
  EXPECT_EQ(ran, 7);
}

TEST(WorkerPools, RunEveryTaskOfManyBurstsAndLeaveNoneToABusyThread) {
  std::atomic<int> ran{0};
  WorkerPool pool(3, 100);
  for (int burst = 0; burst < 2'000; ++burst) {
    // As many as there are threads; each waits for the others, so each needs a thread of its own.
    std::latch together(3);
    std::latch done(3);
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(Submit(pool, [&] {
        together.arrive_and_wait();
        ++ran;
        done.count_down();
      }));
    }
    done.wait();
  }
  EXPECT_EQ(ran, 6'000);
}

TEST(ThreadModels, AreFoundByTheirNames) {
  for (const ThreadModel model : AllThreadModels()) {
    const Result<ThreadModel> parsed = ParseThreadModel(ThreadModelName(model));
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    EXPECT_EQ(*parsed, model);
  }
  const Result<ThreadModel> unknown = ParseThreadModel("carousel");
  EXPECT_EQ(unknown.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(unknown.status().message().find("unknown thread model 'carousel'; there are "
                                            "single_reactor, "),
            0u);
}

TEST(Recycling, MemoryOfOneThreadMayBeFreedByAnother) {
  constexpr int kBlocks = 1000;
  for (const std::size_t bytes : {1u, 127u, 128u, 129u, 1024u, 1025u, 5000u}) {
    std::vector<void*> blocks(kBlocks);
    for (void*& block : blocks) {
      block = detail::AllocateRecycled(bytes);
      std::memset(block, 0xAB, bytes);
    }
    std::thread([&] {
      for (void* block : blocks) detail::FreeRecycled(block, bytes);
      for (void*& block : blocks) block = detail::AllocateRecycled(bytes);
    }).join();
    for (void* block : blocks) detail::FreeRecycled(block, bytes);
  }
}

}  // namespace
}  // namespace weir::test
