// The timer wheel with few and very many timers set.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "runtime/timer_wheel.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using TimePoint = TimerWheel::TimePoint;

constexpr TimePoint kStart{std::chrono::seconds(1'000'000)};

// Deadlines of up to 5 s, as those of calls.
std::vector<detail::TimerNode> SetTimers(TimerWheel& wheel, std::int64_t count) {
  std::vector<detail::TimerNode> timers(static_cast<std::size_t>(count));
  std::mt19937 random(1);
  for (detail::TimerNode& timer : timers) {
    timer.fire = [](detail::TimerNode*) noexcept {};
    timer.expiry = kStart + std::chrono::microseconds(random() % 5'000'000);
    wheel.Set(timer);
  }
  return timers;
}

// The deadline of a call that is answered in time.
void SetAndClear(benchmark::State& state) {
  TimerWheel wheel(kStart);
  const std::vector<detail::TimerNode> others = SetTimers(wheel, state.range(0));
  detail::TimerNode timer;
  timer.expiry = kStart + milliseconds(700);
  for (auto _ : state) {
    wheel.Set(timer);
    wheel.Clear(timer);
  }
}
BENCHMARK(SetAndClear)->Name("TimerWheel/set_clear")->Arg(0)->Arg(1'000)->Arg(1'000'000);

// A timer that fires, and is set again for a second later. An iteration is one tick of 1 ms.
void Advance(benchmark::State& state) {
  struct Periodic : detail::TimerNode {
    TimerWheel* wheel = nullptr;
  };
  TimerWheel wheel(kStart);
  std::vector<Periodic> timers(static_cast<std::size_t>(state.range(0)));
  std::int64_t nth = 0;
  for (Periodic& timer : timers) {
    timer.wheel = &wheel;
    timer.fire = [](detail::TimerNode* node) noexcept {
      auto& self = *static_cast<Periodic*>(node);
      self.expiry += milliseconds(1000);
      self.wheel->Set(self);
    };
    timer.expiry = kStart + milliseconds(1 + nth++ % 1000);
    wheel.Set(timer);
  }
  TimePoint now = kStart;
  for (auto _ : state) {
    now += TimerWheel::kTick;
    wheel.Advance(now);
  }
  state.counters["timers_per_tick"] = static_cast<double>(timers.size()) / 1000;
}
BENCHMARK(Advance)->Name("TimerWheel/advance")->Arg(0)->Arg(1'000)->Arg(100'000);

void NextWakeup(benchmark::State& state) {
  TimerWheel wheel(kStart);
  const std::vector<detail::TimerNode> others = SetTimers(wheel, state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(wheel.NextWakeup());
}
BENCHMARK(NextWakeup)->Name("TimerWheel/next_wakeup")->Arg(0)->Arg(1)->Arg(1'000);

}  // namespace
}  // namespace weir
