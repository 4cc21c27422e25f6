// Reactor: one thread with its event loop, timers, mailbox and read buffer.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/mailbox.h"
#include "runtime/timer_wheel.h"
#include "wire/frame_reader.h"

namespace weir {

class Ring;

// Something with output to flush when the turn ends. Intrusive: it is on the list at most once.
class TurnEnd {
 public:
  virtual void OnTurnEnd() = 0;

 protected:
  virtual ~TurnEnd() = default;

 private:
  friend class Reactor;
  TurnEnd* next_at_turn_end_ = nullptr;
  bool at_turn_end_ = false;
};

// Everything but Post, PostFunction and executor is for the reactor's own thread.
class Reactor {
 public:
  using Clock = TimerWheel::Clock;

  explicit Reactor(std::uint32_t index);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // The reactor whose thread this is; null elsewhere.
  static Reactor* Current() noexcept;
  bool IsCurrent() const noexcept { return Current() == this; }
  std::uint32_t index() const noexcept { return index_; }

  // Has a ring to receive and send with; before Run. It lives until Run has returned.
  void SetRing(Ring* ring) noexcept { ring_ = ring; }
  Ring* ring() const noexcept { return ring_; }

  // Runs until Stop, on the thread that calls.
  void Run();
  void Stop();
  // Runs what is left in the mailbox, after Run has returned.
  void Finish();

  // Hands over a task. Any thread; one wake-up per burst.
  void Post(detail::Task* task) noexcept { PostAll(task, task); }
  // The same for several, linked by `next` from the newest to the oldest.
  void PostAll(detail::Task* newest, detail::Task* oldest) noexcept;
  // The same for rare things: allocates.
  template <class F>
  void PostFunction(F&& function);

  asio::io_context& io() noexcept { return io_; }
  wire::Scratch& scratch() noexcept { return scratch_; }

  // The time at which the present turn began. Good enough for deadlines; never runs backwards.
  Clock::time_point now() const noexcept { return now_; }
  void RefreshNow() noexcept { now_ = Clock::now(); }
  void RefreshNowUnlessInTurn() noexcept {
    if (turn_depth_ == 0) RefreshNow();
  }

  void SetTimer(detail::TimerNode& node, Clock::time_point expiry) noexcept;
  void ClearTimer(detail::TimerNode& node) noexcept { wheel_.Clear(node); }

  // Runs work.OnTurnEnd() when the present turn ends or, outside a turn, soon.
  void AtTurnEnd(TurnEnd& work);

  // While the turn ends: true if others are still to come.
  bool HasTurnEnds() const noexcept { return turn_end_first_ != nullptr; }

  // Everything that happens in answer to one event of the loop: output collected in it leaves at
  // its end. Turns nest; the outermost counts.
  class Turn {
   public:
    explicit Turn(Reactor& reactor) noexcept : reactor_(reactor) {
      if (reactor_.turn_depth_++ == 0) reactor_.RefreshNow();
    }
    ~Turn() {
      if (reactor_.turn_depth_ == 1) reactor_.EndTurn();
      --reactor_.turn_depth_;
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Reactor& reactor_;
  };

 private:
  void DrainMailbox();
  void EndTurn();
  void ArmTimer();

  const std::uint32_t index_;
  Mailbox mailbox_;
  wire::Scratch scratch_;
  Clock::time_point now_;
  TimerWheel wheel_;
  TurnEnd* turn_end_first_ = nullptr;
  TurnEnd* turn_end_last_ = nullptr;
  int turn_depth_ = 0;
  Ring* ring_ = nullptr;
  bool flush_posted_ = false;
  Clock::time_point alarm_at_ = Clock::time_point::max();
  // Last, so that what handlers still hold when the loop is destroyed finds the rest alive.
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer alarm_;
};

template <class F>
void Reactor::PostFunction(F&& function) {
  struct FunctionTask : detail::Task {
    explicit FunctionTask(F&& f) : function(std::forward<F>(f)) {
      run = [](detail::Task* task) noexcept {
        const std::unique_ptr<FunctionTask> self(static_cast<FunctionTask*>(task));
        self->function();
      };
    }
    std::decay_t<F> function;
  };
  Post(new FunctionTask(std::forward<F>(function)));
}

}  // namespace weir
