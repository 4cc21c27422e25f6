// Relay: tasks that one reactor hands to another, those of a turn with one wake-up.
#pragma once

#include "runtime/reactor.h"
#include "weir/detail/intrusive.h"

namespace weir {

// For the thread of `from` alone.
class Relay final : public TurnEnd {
 public:
  Relay(Reactor& from, Reactor& to) noexcept : from_(from), to_(to) {}

  // Hands `task` over when the present turn of `from` ends or, outside a turn, soon. They run in
  // the order in which they were added.
  void Add(detail::Task* task) {
    task->next = newest_;
    newest_ = task;
    if (oldest_ != nullptr) return;
    oldest_ = task;
    from_.AtTurnEnd(*this);
  }

 private:
  void OnTurnEnd() override {
    to_.PostAll(newest_, oldest_);
    newest_ = oldest_ = nullptr;
  }

  Reactor& from_;
  Reactor& to_;
  detail::Task* newest_ = nullptr;  // linked by `next`, the newest first
  detail::Task* oldest_ = nullptr;
};

}  // namespace weir
