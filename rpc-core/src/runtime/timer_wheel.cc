#include "runtime/timer_wheel.h"

#include <bit>

namespace weir {

using detail::TimerNode;

TimerWheel::TimerWheel(TimePoint now) : origin_(now) {
  for (TimerNode& slot : slots_) slot.previous = slot.next = &slot;
}

std::uint64_t TimerWheel::TickOf(TimePoint time) const noexcept {
  if (time <= origin_) return 0;
  // Rounded up: a timer never fires early.
  const auto since = time - origin_;
  return static_cast<std::uint64_t>(since / kTick + (since % kTick != since.zero() ? 1 : 0));
}

void TimerWheel::LinkInto(std::uint64_t slot, TimerNode& node) noexcept {
  TimerNode& head = slots_[slot];
  node.previous = head.previous;
  node.next = &head;
  head.previous->next = &node;
  head.previous = &node;
  occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

void TimerWheel::Unlink(TimerNode& node) noexcept {
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.previous = node.next = nullptr;
}

void TimerWheel::Set(TimerNode& node) noexcept {
  std::uint64_t tick = TickOf(node.expiry);
  if (tick <= current_) tick = current_ + 1;
  LinkInto(tick % kSlots, node);
}

void TimerWheel::Clear(TimerNode& node) noexcept {
  if (node.is_set()) Unlink(node);
}

void TimerWheel::Advance(TimePoint now) noexcept {
  const std::uint64_t target =
      now <= origin_ ? 0 : static_cast<std::uint64_t>((now - origin_) / kTick);
  if (target <= current_) return;
  // One round visits every slot; more would visit them again.
  const std::uint64_t first = target - current_ > kSlots ? target - kSlots + 1 : current_ + 1;
  current_ = target;
  for (std::uint64_t tick = first; tick <= target; ++tick) {
    const std::uint64_t slot = tick % kSlots;
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if ((occupied_[slot / 64] & bit) == 0) continue;
    // Taken out whole, so that callbacks may set timers into this slot.
    TimerNode due;
    TimerNode& head = slots_[slot];
    if (head.next == &head) {
      occupied_[slot / 64] &= ~bit;
      continue;
    }
    due.next = head.next;
    due.previous = head.previous;
    due.next->previous = due.previous->next = &due;
    head.previous = head.next = &head;
    occupied_[slot / 64] &= ~bit;
    while (due.next != &due) {
      TimerNode& node = *due.next;
      Unlink(node);
      if (TickOf(node.expiry) <= target) {
        node.fire(&node);
      } else {
        LinkInto(slot, node);  // of a later round
      }
    }
  }
}

TimerWheel::TimePoint TimerWheel::NextWakeup() const noexcept {
  for (std::uint64_t step = 1; step <= kSlots;) {
    const std::uint64_t slot = (current_ + step) % kSlots;
    const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word == 0) {
      step += 64 - slot % 64;
      continue;
    }
    step += static_cast<std::uint64_t>(std::countr_zero(word));
    return origin_ + (current_ + step) * kTick;
  }
  return TimePoint::max();
}

}  // namespace weir
