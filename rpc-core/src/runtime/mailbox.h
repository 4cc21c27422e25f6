// Mailbox: how other threads hand work to a reactor. Lock-free, allocates nothing.
#pragma once

#include <atomic>

#include "weir/detail/intrusive.h"

namespace weir {

// Many producers, one consumer. Tasks come out in the order in which each producer put them in.
class Mailbox {
 public:
  // True if the mailbox was empty: the consumer needs a wake-up. The task belongs to the mailbox
  // until it is taken.
  bool Put(detail::Task* task) noexcept { return PutAll(task, task); }
  // The same for several, linked by `next` from the newest to the oldest.
  bool PutAll(detail::Task* newest, detail::Task* oldest) noexcept {
    detail::Task* head = head_.load(std::memory_order_relaxed);
    do {
      oldest->next = head;
    } while (!head_.compare_exchange_weak(head, newest, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == nullptr;
  }

  // Everything put in so far, oldest first, linked by `next`.
  detail::Task* TakeAll() noexcept {
    detail::Task* newest = head_.exchange(nullptr, std::memory_order_acquire);
    detail::Task* oldest = nullptr;
    while (newest != nullptr) {
      detail::Task* next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    return oldest;
  }

 private:
  std::atomic<detail::Task*> head_{nullptr};
};

}  // namespace weir
