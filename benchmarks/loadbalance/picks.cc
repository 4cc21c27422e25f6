// Pick/...: a pick with inputs made in advance, called as the channel calls it.
// WholePath/...: what a channel does for each call around it, too: it looks if the list has
// changed, takes a sequence number and a random word, and counts the call at its endpoint, start
// and end.
#include <benchmark/benchmark.h>

#include <atomic>

#include "fleet.h"

namespace weir::bench {
namespace {

void Pick(benchmark::State& state, const Row& row) {
  const Fleet& fleet = FleetOf(row.text, state.range(0), row.equal_weights,
                               static_cast<std::uint32_t>(state.threads()));
  const Words words;
  auto call = static_cast<std::uint64_t>(state.thread_index()) << 32;
  for (auto _ : state) {
    const std::uint64_t word = words[call];
    benchmark::DoNotOptimize(fleet.strategy.Pick(
        {.key_hash = word, .has_key = true}, fleet.snapshot,
        {.sequence = call, .random = word, .now_ns = kNow + static_cast<std::int64_t>(call)}));
    ++call;
  }
}

// The inputs of a pick alone, and a call through a pointer.
Index PickNothing(const RequestView&, const Snapshot&, const PickContext&) noexcept {
  return 0;
}

void Harness(benchmark::State& state) {
  ConfiguredLoadBalance strategy;
  strategy.strategy.pick = PickNothing;
  const Fleet& fleet = FleetOf("random", state.range(0), true, 1);
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    const std::uint64_t word = words[call];
    benchmark::DoNotOptimize(strategy.Pick(
        {.key_hash = word, .has_key = true}, fleet.snapshot,
        {.sequence = call, .random = word, .now_ns = kNow + static_cast<std::int64_t>(call)}));
    ++call;
  }
}

// What all threads of a channel share.
struct Shared {
  std::atomic<std::uint64_t> version{1};
  alignas(64) std::atomic<std::uint64_t> next_sequence{0};
};

// What one thread has of its own.
class alignas(64) Caller {
 public:
  Caller(Shared& shared, const Fleet& fleet, std::uint32_t cell)
      : shared_(shared), fleet_(fleet), cell_(cell), random_(cell) {}

  Index Call(std::uint64_t key_hash, std::int64_t now_ns) {
    if (shared_.version.load(std::memory_order_acquire) != version_) {
      version_ = shared_.version.load(std::memory_order_acquire);
      snapshot_ = &fleet_.snapshot;
    }
    if (sequence_ == sequence_end_) {
      sequence_ = shared_.next_sequence.fetch_add(64, std::memory_order_relaxed);
      sequence_end_ = sequence_ + 64;
    }
    const Index picked =
        fleet_.strategy.Pick({.key_hash = key_hash, .has_key = true}, *snapshot_,
                             {.sequence = sequence_++, .random = Random(), .now_ns = now_ns});
    Endpoint& endpoint = snapshot_->endpoint(picked);
    endpoint.OnStart(cell_, now_ns);
    endpoint.OnEnd(cell_, now_ns, now_ns + 1'000'000, Outcome::kAnswered);
    return picked;
  }

 private:
  std::uint64_t Random() {  // SplitMix64
    std::uint64_t word = random_ += 0x9e3779b97f4a7c15;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
  }

  Shared& shared_;
  const Fleet& fleet_;
  const Snapshot* snapshot_ = nullptr;
  std::uint32_t cell_;
  std::uint64_t version_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t sequence_end_ = 0;
  std::uint64_t random_;
};

void WholePath(benchmark::State& state, const Row& row) {
  static Shared shared;
  const Fleet& fleet = FleetOf(row.text, state.range(0), row.equal_weights,
                               static_cast<std::uint32_t>(state.threads()));
  Caller caller(shared, fleet, static_cast<std::uint32_t>(state.thread_index()));
  const Words words;
  std::uint64_t call = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(caller.Call(words[call], kNow + static_cast<std::int64_t>(call)));
    ++call;
  }
}

}  // namespace

void RegisterPicks() {
  benchmark::RegisterBenchmark("Harness", Harness)->Arg(10);
  for (const Row& row : Rows()) {
    for (const int threads : {0, 2}) {
      for (const bool whole : {false, true}) {
        auto* each = benchmark::RegisterBenchmark(
            ((whole ? "WholePath/" : "Pick/") + row.name).c_str(), whole ? WholePath : Pick, row);
        each->Arg(10)->Arg(100)->Arg(1000);
        if (threads > 0) each->Threads(threads);
      }
    }
  }
}

}  // namespace weir::bench
