// WorkerPool: threads for handlers that block.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "weir/detail/intrusive.h"

namespace weir {

// A bounded queue and its threads, started with the first task. Thread-safe. Each task goes to one
// thread, first come first served, so that one that blocks holds up no other while a thread is
// free.
//
// A burst costs the submitter one wake-up: the thread that wakes takes a task and wakes the next
// one if there is more to do.
class WorkerPool {
 public:
  WorkerPool(std::uint32_t threads, std::uint32_t max_queued) noexcept
      : thread_count_(threads == 0 ? 1 : threads), max_queued_(max_queued) {}
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  std::uint32_t threads() const noexcept { return thread_count_; }
  // False if the queue is full. Else the task belongs to the pool until it is run.
  bool Submit(detail::Task* task);

 private:
  void Work();
  // True if a thread must be notified, after the lock has been given back. Under the lock.
  bool WantsWakeUp() noexcept;

  const std::uint32_t thread_count_;
  const std::uint32_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  detail::Task* first_ = nullptr;
  detail::Task* last_ = nullptr;
  std::uint32_t queued_ = 0;
  std::uint32_t idle_ = 0;
  bool waking_ = false;  // one was notified and has not yet looked
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace weir
