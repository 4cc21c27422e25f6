#include "runtime/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using TimePoint = TimerWheel::TimePoint;

const TimePoint kStart = TimePoint(1'000'000s);

struct Timer : detail::TimerNode {
  explicit Timer(std::function<void()> action) : on_fire(std::move(action)) {
    fire = [](TimerNode* node) noexcept { static_cast<Timer*>(node)->on_fire(); };
  }
  std::function<void()> on_fire;
};

TEST(TimerWheels, NeverFireEarlyAndAtMostOneTickLate) {
  for (const auto delay :
       {0ns, 1ns, 999'999ns, 1'000'000ns, 1'000'001ns, 5'500'000ns, 1'023'000'000ns,
        1'024'000'000ns, 1'025'000'001ns, 3'600'000'000'000ns}) {
    TimerWheel wheel(kStart);
    TimePoint fired{};
    TimePoint now = kStart;
    Timer timer([&] { fired = now; });
    timer.expiry = kStart + delay;
    wheel.Set(timer);
    while (fired == TimePoint{}) {
      const TimePoint next = wheel.NextWakeup();
      ASSERT_GT(next, now) << "a wake-up that brings nothing nearer";
      now = next;
      wheel.Advance(now);
    }
    EXPECT_GE(fired, timer.expiry);
    EXPECT_LE(fired - timer.expiry, TimerWheel::kTick) << delay.count();
    EXPECT_EQ(wheel.NextWakeup(), TimePoint::max());
  }
}

TEST(TimerWheels, FarAndPastExpiriesAreKeptInOrder) {
  TimerWheel wheel(kStart);
  Timer never([] { FAIL() << "fired"; });
  never.expiry = TimePoint::max();
  wheel.Set(never);
  Timer past([] {});
  bool fired = false;
  past.on_fire = [&] { fired = true; };
  past.expiry = kStart - 1h;
  wheel.Set(past);
  wheel.Advance(kStart + 1ms);
  EXPECT_TRUE(fired);
  wheel.Advance(kStart + std::chrono::hours(24 * 400));
  EXPECT_TRUE(never.is_set());
  wheel.Clear(never);
  EXPECT_FALSE(never.is_set());
}

TEST(TimerWheels, CallbacksMaySetAndClearTimersTheirOwnToo) {
  TimerWheel wheel(kStart);
  TimePoint now = kStart;
  int ticks = 0;
  Timer victim([] { FAIL() << "was cleared"; });
  Timer periodic([] {});
  Timer late([] {});
  bool late_fired = false;
  late.on_fire = [&] { late_fired = true; };
  periodic.on_fire = [&] {
    wheel.Clear(victim);  // in the same slot, behind it
    if (++ticks < 5) {
      periodic.expiry = now + 1024ms;  // into the slot that is being emptied
      wheel.Set(periodic);
    } else {
      late.expiry = now;  // has expired already: next tick
      wheel.Set(late);
    }
  };
  periodic.expiry = kStart + 10ms;
  victim.expiry = kStart + 10ms;
  wheel.Set(periodic);
  wheel.Set(victim);
  for (int i = 0; i < 6000; ++i) {
    now += 1ms;
    wheel.Advance(now);
  }
  EXPECT_EQ(ticks, 5);
  EXPECT_TRUE(late_fired);
}

TEST(TimerWheels, AgreeWithASortedModel) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  TimerWheel wheel(kStart);
  TimePoint now = kStart;
  std::set<std::pair<TimePoint, int>> model;
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 300; ++i) {
    timers.push_back(std::make_unique<Timer>([&, i] {
      Timer& self = *timers[static_cast<std::size_t>(i)];
      EXPECT_LE(self.expiry, now);
      EXPECT_EQ(model.erase({self.expiry, i}), 1u);
    }));
  }
  for (int step = 0; step < 20'000; ++step) {
    const int i = static_cast<int>(random() % timers.size());
    Timer& timer = *timers[static_cast<std::size_t>(i)];
    if (timer.is_set()) {
      wheel.Clear(timer);
      EXPECT_EQ(model.erase({timer.expiry, i}), 1u);
    }
    if (random() % 4 != 0) {
      timer.expiry =
          now + std::chrono::microseconds(random() % (random() % 8 == 0 ? 5'000'000 : 20'000));
      wheel.Set(timer);
      model.emplace(timer.expiry, i);
    }
    if (random() % 3 == 0) {
      now += std::chrono::microseconds(random() % (random() % 50 == 0 ? 3'000'000 : 3'000));
      wheel.Advance(now);
      // At most a tick late.
      if (!model.empty()) {
        EXPECT_GT(model.begin()->first + TimerWheel::kTick + TimerWheel::kTick, now);
        EXPECT_LE(wheel.NextWakeup(), std::max(now, model.begin()->first) + 2 * TimerWheel::kTick);
      }
    }
  }
  for (const auto& timer : timers) wheel.Clear(*timer);
}

}  // namespace
}  // namespace weir::test
