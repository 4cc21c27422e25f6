#include "lab/server_model.h"

#include <algorithm>
#include <cmath>

namespace weir::lab {
namespace {

// How long an announced stop leaves for ending what is in flight.
constexpr Nanos kGrace = 500'000'000;
// Weight of a new service time in the mean that a server reports.
constexpr double kServiceGain = 1.0 / 64;

}  // namespace

ServerModel::ServerModel(std::uint32_t number, const ServerGroup& group, std::uint64_t seed)
    : group_(&group),
      number_(number),
      random_(seed, 1000 + number),
      slots_(group.slots),
      base_speed_(group.speed) {}

void ServerModel::Plan(ServerChange change, Nanos at, EventQueue& queue, std::uint32_t index) {
  queue.Push({.time = at,
              .subject = number_,
              .detail = static_cast<std::uint32_t>(change),
              .epoch = index,
              .kind = EventKind::kServerState});
}

void ServerModel::Begin(Nanos start, EventQueue& queue) {
  start_ = start;
  since_ = start;
  if (group_->pause_every > 0) {
    const double first = random_.Exponential(static_cast<double>(group_->pause_every));
    Plan(ServerChange::kPause, start + std::llround(first), queue);
  }
  if (group_->slow_every > 0) {
    const double first = random_.Exponential(static_cast<double>(group_->slow_every));
    Plan(ServerChange::kSlowDown, start + std::llround(first), queue);
  }
  for (std::size_t i = 0; i < group_->speeds.size(); ++i) {
    Plan(ServerChange::kSpeed, start + group_->speeds[i].at, queue, static_cast<std::uint32_t>(i));
  }
  if (group_->starts > 0) {
    running_ = listed_ = false;
    Plan(ServerChange::kStart, start + group_->starts, queue);
  }
  if (group_->stops > 0) PlanRestart(start + group_->stops, 0, queue);
}

void ServerModel::PlanRestart(Nanos at, Nanos gone_for, EventQueue& queue) {
  gone_for_ = gone_for;
  Plan(group_->graceful ? ServerChange::kLeave : ServerChange::kStop, at, queue);
}

double ServerModel::speed() const noexcept {
  return base_speed_ * (slow_ ? group_->slow_speed : 1) * (cold_ ? group_->cold_speed : 1);
}

bool ServerModel::failing(Nanos now) const noexcept {
  const Nanos at = now - start_;
  return group_->fail > 0 && at >= group_->fail_from &&
         (group_->fail_until == 0 || at < group_->fail_until);
}

LoadReport ServerModel::Report() const noexcept {
  return {.in_flight = static_cast<std::uint16_t>(std::min<std::uint32_t>(in_flight(), 65'535)),
          .slots = static_cast<std::uint16_t>(std::min<std::uint32_t>(group_->slots, 65'535)),
          .service_100ns =
              static_cast<std::uint32_t>(std::min(std::round(service_ns_ / 100), 4294967295.0))};
}

void ServerModel::Settle(Nanos now) {
  const double done = rate() * static_cast<double>(now - since_);
  since_ = now;
  if (done <= 0) return;
  for (Slot& slot : slots_) {
    if (slot.work.call != kNoCall) slot.left = std::max(slot.left - done, 0.0);
  }
}

void ServerModel::Schedule(std::size_t index, Nanos now, EventQueue& queue) {
  Slot& slot = slots_[index];
  ++slot.epoch;
  if (rate() <= 0) return;
  queue.Push({.time = now + std::llround(std::ceil(slot.left / rate())),
              .subject = number_,
              .detail = static_cast<std::uint32_t>(index),
              .epoch = slot.epoch,
              .kind = EventKind::kFinished});
}

void ServerModel::BeginWork(std::size_t index, const Work& work, Nanos now, EventQueue& queue) {
  // Slots that begin between two settlements have done nothing for the time before.
  Slot& slot = slots_[index];
  slot.work = work;
  if (failing(now) && random_.Uniform() < group_->fail) {
    slot.work.fails = true;
    slot.work.nanos = static_cast<double>(group_->fail_time);
  }
  slot.began = now;
  slot.left = slot.work.nanos + rate() * static_cast<double>(now - since_);
  ++slot.epoch;
  if (rate() <= 0) return;
  queue.Push({.time = now + std::llround(std::ceil(slot.work.nanos / rate())),
              .subject = number_,
              .detail = static_cast<std::uint32_t>(index),
              .epoch = slot.epoch,
              .kind = EventKind::kFinished});
}

bool ServerModel::Accept(const Work& work, Nanos now, EventQueue& queue) {
  if (!running_) return false;
  if (busy_ == slots_.size()) {
    queue_.push_back(work);
    return true;
  }
  std::size_t free = 0;
  while (slots_[free].work.call != kNoCall) ++free;
  ++busy_;
  BeginWork(free, work, now, queue);
  return true;
}

Work ServerModel::Finish(const Event& event, EventQueue& queue,
                         std::vector<std::uint32_t>& dropped) {
  Slot& slot = slots_[event.detail];
  if (slot.epoch != event.epoch || slot.work.call == kNoCall) return {};
  const Work done = slot.work;
  const auto took = static_cast<double>(event.time - slot.began);
  service_ns_ = service_ns_ == 0 ? took : service_ns_ + (took - service_ns_) * kServiceGain;
  slot.work.call = kNoCall;
  --busy_;
  while (!queue_.empty()) {
    const Work next = queue_.front();
    queue_.pop_front();
    if (next.deadline <= event.time) {
      dropped.push_back(next.call);
      continue;
    }
    ++busy_;
    BeginWork(event.detail, next, event.time, queue);
    break;
  }
  return done;
}

void ServerModel::Change(const Event& event, EventQueue& queue, std::vector<std::uint32_t>& lost) {
  const Nanos now = event.time;
  Settle(now);
  const auto after = [&](Nanos mean) {
    return now + std::max<Nanos>(1, std::llround(random_.Exponential(static_cast<double>(mean))));
  };
  switch (static_cast<ServerChange>(event.detail)) {
    case ServerChange::kPause:
      paused_ = true;
      paused_until_ = now + group_->pause_for;
      Plan(ServerChange::kResume, paused_until_, queue);
      break;
    case ServerChange::kResume:
      paused_ = false;
      Plan(ServerChange::kPause, after(group_->pause_every), queue);
      break;
    case ServerChange::kSlowDown:
      slow_ = true;
      Plan(ServerChange::kRecover, after(group_->slow_for), queue);
      break;
    case ServerChange::kRecover:
      slow_ = false;
      Plan(ServerChange::kSlowDown, after(group_->slow_every), queue);
      break;
    case ServerChange::kSpeed:
      base_speed_ = group_->speeds[event.epoch].speed;
      break;
    case ServerChange::kWarm:
      cold_ = cold_ && event.epoch != static_cast<std::uint32_t>(started_ / 1000);
      break;
    case ServerChange::kLeave:
      listed_ = false;
      Plan(ServerChange::kStop, now + kGrace, queue);
      break;
    case ServerChange::kStop:
      running_ = listed_ = false;
      for (Slot& slot : slots_) {
        if (slot.work.call != kNoCall) lost.push_back(slot.work.call);
        slot.work.call = kNoCall;
        ++slot.epoch;
      }
      for (const Work& work : queue_) lost.push_back(work.call);
      queue_.clear();
      busy_ = 0;
      if (gone_for_ > 0) Plan(ServerChange::kStart, now + gone_for_, queue);
      break;
    case ServerChange::kStart:
      running_ = listed_ = true;
      started_ = now;
      service_ns_ = 0;
      cold_ = group_->cold_for > 0;
      if (cold_) {
        Plan(ServerChange::kWarm, now + group_->cold_for, queue,
             static_cast<std::uint32_t>(started_ / 1000));
      }
      break;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].work.call != kNoCall) Schedule(i, now, queue);
  }
}

}  // namespace weir::lab
