#include "runtime/reactor.h"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <utility>

#include "runtime/ring.h"

namespace weir {
namespace {

thread_local Reactor* t_current = nullptr;

}  // namespace

Reactor::Reactor(std::uint32_t index)
    : index_(index),
      now_(Clock::now()),
      wheel_(now_),
      io_(1),
      work_(io_.get_executor()),
      alarm_(io_) {}

Reactor* Reactor::Current() noexcept {
  return t_current;
}

void Reactor::Run() {
  t_current = this;
  if (ring_ != nullptr) ring_->Start();
  io_.run();
  if (ring_ != nullptr) ring_->Stop();
  t_current = nullptr;
}

void Reactor::Stop() {
  work_.reset();
  io_.stop();
}

void Reactor::Finish() {
  Reactor* const before = std::exchange(t_current, this);
  DrainMailbox();
  t_current = before;
}

void Reactor::PostAll(detail::Task* newest, detail::Task* oldest) noexcept {
  if (mailbox_.PutAll(newest, oldest)) asio::post(io_, [this] { DrainMailbox(); });
}

void Reactor::DrainMailbox() {
  const Turn turn(*this);
  for (detail::Task* task = mailbox_.TakeAll(); task != nullptr;) {
    detail::Task* next = task->next;
    task->run(task);
    task = next;
  }
}

void Reactor::SetTimer(detail::TimerNode& node, Clock::time_point expiry) noexcept {
  wheel_.Clear(node);
  node.expiry = expiry;
  wheel_.Set(node);
  if (expiry < alarm_at_) ArmTimer();
}

void Reactor::ArmTimer() {
  const Clock::time_point next = wheel_.NextWakeup();
  if (next >= alarm_at_) return;
  alarm_at_ = next;
  alarm_.expires_at(next);
  alarm_.async_wait([this](const asio::error_code& error) {
    if (error) return;  // armed anew
    const Turn turn(*this);
    alarm_at_ = Clock::time_point::max();
    wheel_.Advance(now_);
    ArmTimer();
  });
}

void Reactor::AtTurnEnd(TurnEnd& work) {
  if (work.at_turn_end_) return;
  work.at_turn_end_ = true;
  work.next_at_turn_end_ = nullptr;
  if (turn_end_last_ != nullptr) {
    turn_end_last_->next_at_turn_end_ = &work;
  } else {
    turn_end_first_ = &work;
  }
  turn_end_last_ = &work;
  if (turn_depth_ == 0 && !flush_posted_) {
    flush_posted_ = true;
    asio::post(io_, [this] {
      flush_posted_ = false;
      const Turn turn(*this);
    });
  }
}

void Reactor::EndTurn() {
  while (turn_end_first_ != nullptr) {
    TurnEnd* work = std::exchange(turn_end_first_, turn_end_first_->next_at_turn_end_);
    if (turn_end_first_ == nullptr) turn_end_last_ = nullptr;
    work->at_turn_end_ = false;
    work->OnTurnEnd();
  }
}

}  // namespace weir
