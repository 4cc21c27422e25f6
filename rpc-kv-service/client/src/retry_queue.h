// RetryQueue: requests that were refused for their epoch, until the member list has been read
// again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "weir/status.h"

namespace weir::kv {

// One thread, started with the first request. Thread-safe.
class RetryQueue {
 public:
  using Clock = std::chrono::steady_clock;
  // Called once: OK to go on, CANCELLED when the queue is closed.
  using Again = std::function<void(Status)>;

  // `refresh` reads the member list anew; it may block.
  explicit RetryQueue(std::function<void()> refresh);
  ~RetryQueue();
  RetryQueue(const RetryQueue&) = delete;
  RetryQueue& operator=(const RetryQueue&) = delete;

  // Refreshes after `delay`, then calls `again` on the queue's thread.
  void Add(Clock::duration delay, Again again);
  // Ends all that wait, and everything added later, with CANCELLED. Idempotent.
  void Close();

 private:
  void Run();

  const std::function<void()> refresh_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, Again> waiting_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace weir::kv
