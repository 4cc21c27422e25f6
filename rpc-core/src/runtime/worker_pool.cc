#include "runtime/worker_pool.h"

#include <utility>

namespace weir {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::Submit(detail::Task* task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ >= max_queued_) return false;
    while (threads_.size() < thread_count_) threads_.emplace_back([this] { Work(); });
    task->next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = task;
    last_ = task;
    ++queued_;
    wake = WantsWakeUp();
  }
  if (wake) wake_.notify_one();
  return true;
}

bool WorkerPool::WantsWakeUp() noexcept {
  return first_ != nullptr && idle_ > 0 && !std::exchange(waking_, true);
}

void WorkerPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (first_ == nullptr) {
      if (stopping_) return;
      ++idle_;
      wake_.wait(lock);
      --idle_;
      // Also if another was faster: who submits next must not count on this thread any more.
      waking_ = false;
    }
    detail::Task* const task = first_;
    first_ = task->next;
    --queued_;
    const bool wake = WantsWakeUp();
    lock.unlock();
    if (wake) wake_.notify_one();
    task->run(task);
    lock.lock();
  }
}

}  // namespace weir
