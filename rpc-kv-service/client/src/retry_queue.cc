#include "retry_queue.h"

#include <utility>
#include <vector>

namespace weir::kv {

RetryQueue::RetryQueue(std::function<void()> refresh) : refresh_(std::move(refresh)) {}

RetryQueue::~RetryQueue() {
  Close();
}

void RetryQueue::Add(Clock::duration delay, Again again) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      waiting_.emplace(Clock::now() + delay, std::exchange(again, nullptr));
      if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    }
  }
  if (again) return again(Cancelled("the store's client was closed"));
  changed_.notify_all();
}

void RetryQueue::Close() {
  std::thread ended;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    ended = std::move(thread_);
  }
  changed_.notify_all();
  if (ended.joinable()) ended.join();
}

void RetryQueue::Run() {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Clock::time_point next = waiting_.begin()->first;
    if (Clock::now() < next) {
      changed_.wait_until(lock, next);
      continue;
    }
    std::vector<Again> due;
    while (!waiting_.empty() && waiting_.begin()->first <= next) {
      due.push_back(std::move(waiting_.begin()->second));
      waiting_.erase(waiting_.begin());
    }
    lock.unlock();
    refresh_();
    for (Again& again : due) again({});
    due.clear();
    lock.lock();
  }
  const auto cancelled = std::exchange(waiting_, {});
  lock.unlock();
  for (const auto& [when, again] : cancelled) {
    again(Cancelled("the store's client was closed"));
  }
}

}  // namespace weir::kv
