// The mailbox: tasks put in by one or two threads and taken out by another. An iteration hands over
// a burst of 1,000 tasks of each producer; per_task is what one of them costs.
#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/mailbox.h"

namespace weir {
namespace {

constexpr std::size_t kBurst = 1000;

void CountTasks(benchmark::State& state, double tasks_per_iteration) {
  state.counters["per_task"] =
      benchmark::Counter(tasks_per_iteration, benchmark::Counter::kIsIterationInvariantRate |
                                                  benchmark::Counter::kInvert);
}

void PutAndTake(benchmark::State& state) {
  Mailbox mailbox;
  std::vector<detail::Task> tasks(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (detail::Task& task : tasks) benchmark::DoNotOptimize(mailbox.Put(&task));
    benchmark::DoNotOptimize(mailbox.TakeAll());
  }
  CountTasks(state, static_cast<double>(tasks.size()));
}
BENCHMARK(PutAndTake)->Name("Mailbox/one_thread")->Arg(1)->Arg(64);

// Puts a burst whenever the consumer asks for the next one.
class Producer {
 public:
  Producer(Mailbox& mailbox, const std::atomic<std::uint64_t>& asked)
      : tasks_(kBurst), thread_([this, &mailbox, &asked] {
          for (std::uint64_t done = 0;; ++done) {
            std::uint64_t wanted = 0;
            while ((wanted = asked.load(std::memory_order_acquire)) == done) {
              std::this_thread::yield();
            }
            if (wanted == kOver) return;
            for (detail::Task& task : tasks_) mailbox.Put(&task);
          }
        }) {}
  ~Producer() { thread_.join(); }
  static constexpr std::uint64_t kOver = ~std::uint64_t{0};

 private:
  std::vector<detail::Task> tasks_;
  std::thread thread_;
};

void Producers(benchmark::State& state) {
  Mailbox mailbox;
  std::atomic<std::uint64_t> asked{0};
  std::vector<std::unique_ptr<Producer>> producers;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    producers.push_back(std::make_unique<Producer>(mailbox, asked));
  }
  const std::size_t all = kBurst * producers.size();
  for (auto _ : state) {
    asked.fetch_add(1, std::memory_order_release);
    for (std::size_t taken = 0; taken < all;) {
      const detail::Task* task = mailbox.TakeAll();
      if (task == nullptr) std::this_thread::yield();
      for (; task != nullptr; task = task->next) ++taken;
    }
  }
  asked.store(Producer::kOver, std::memory_order_release);
  CountTasks(state, static_cast<double>(all));
}
BENCHMARK(Producers)->Name("Mailbox/producers")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace weir
