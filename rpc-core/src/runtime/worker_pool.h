// WorkerPool: threads for handlers that block.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

// A bounded queue and its threads, started with the first task. Thread-safe.
class WorkerPool {
 public:
  WorkerPool(std::uint32_t threads, std::uint32_t max_queued) noexcept
      : thread_count_(threads == 0 ? 1 : threads), max_queued_(max_queued) {}
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False if the queue is full.
  bool Submit(std::function<void()> work);

 private:
  void Work();

  const std::uint32_t thread_count_;
  const std::uint32_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace weir
