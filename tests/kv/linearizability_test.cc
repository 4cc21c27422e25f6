// T2: whatever threads do at the same time, each key looks as if they had done it one after the
// other.
#include <atomic>
#include <thread>

#include "engine_fixture.h"
#include "register_history.h"

namespace weir::kv {
namespace {

using Kind = RegisterOperation::Kind;

TEST(LinearizabilityCheck, TellsRightHistoriesFromWrongOnes) {
  // Two writes at the same time, each of which a reader saw last.
  EXPECT_TRUE(LinearizabilityCheck(
                  {{{Kind::kWrite, 1, 10, 1}, {Kind::kRead, 11, 12, 2}}, {{Kind::kWrite, 2, 9, 2}}})
                  .Passes());
  EXPECT_TRUE(LinearizabilityCheck(
                  {{{Kind::kWrite, 1, 10, 1}, {Kind::kRead, 11, 12, 1}}, {{Kind::kWrite, 2, 9, 2}}})
                  .Passes());
  // A value that had been replaced before the read began.
  EXPECT_FALSE(LinearizabilityCheck(
                   {{{Kind::kWrite, 1, 2, 1}, {Kind::kWrite, 3, 4, 2}}, {{Kind::kRead, 5, 6, 1}}})
                   .Passes());
  // Two readers one after the other that see two writes in different orders.
  EXPECT_FALSE(LinearizabilityCheck(
                   {{{Kind::kWrite, 1, 10, 1}}, {{Kind::kRead, 2, 3, 1}, {Kind::kRead, 4, 5, 0}}})
                   .Passes());
  // Both swaps found the same value.
  EXPECT_FALSE(
      LinearizabilityCheck({{{Kind::kSwapped, 1, 10, 1, 0}}, {{Kind::kSwapped, 2, 9, 2, 0}}})
          .Passes());
  EXPECT_TRUE(
      LinearizabilityCheck({{{Kind::kSwapped, 1, 10, 1, 0}}, {{Kind::kNotSwapped, 2, 9, 0, 0}}})
          .Passes());
}

// Threads that work on few keys of one store, and what they have seen.
class Workload {
 public:
  static constexpr std::size_t kKeys = 64;

  Workload(Store& store, std::uint64_t seed, std::size_t threads)
      : store_(store), seed_(seed), histories_(kKeys, RegisterHistory(threads)) {}

  void Run(std::uint64_t operations) {
    const std::size_t threads = histories_[0].size();
    std::vector<std::jthread> running;
    for (std::size_t t = 0; t < threads; ++t) {
      running.emplace_back([this, t, operations, threads] {
        std::mt19937_64 random(seed_ * 100 + t);
        for (std::uint64_t i = 0; i < operations / threads; ++i) Step(t, random);
      });
    }
  }

  void Check() const {
    for (std::size_t key = 0; key < kKeys; ++key) {
      LinearizabilityCheck check(histories_[key]);
      ASSERT_TRUE(check.Passes()) << "key " << key << ": " << check.Explain();
    }
  }

 private:
  static std::string Name(std::size_t key) { return "key" + std::to_string(key); }
  static std::string Text(std::uint64_t value) {
    return value == 0 ? "" : std::to_string(value) + std::string(value % 50, '.');
  }
  static std::uint64_t Number(const std::string& text) { return std::stoull(text); }

  void Note(std::size_t thread, std::size_t key, RegisterOperation operation, std::uint64_t start,
            std::uint64_t end) {
    operation.start = start;
    operation.end = end;
    histories_[key][thread].push_back(operation);
  }

  void Step(std::size_t thread, std::mt19937_64& random) {
    const std::uint64_t dice = random() % 100;
    const std::size_t key = random() % kKeys;
    const std::uint64_t value = ++last_value_;
    const std::uint64_t start = ++tick_;
    if (dice < 45) {
      const std::uint64_t seen = Seen(key);
      Note(thread, key, {Kind::kRead, 0, 0, seen}, start, ++tick_);
    } else if (dice < 75) {
      ASSERT_TRUE(store_.Put(Name(key), Text(value)).ok());
      Note(thread, key, {Kind::kWrite, 0, 0, value}, start, ++tick_);
    } else if (dice < 83) {
      ASSERT_TRUE(store_.Delete(Name(key)).ok());
      Note(thread, key, {Kind::kWrite, 0, 0, 0}, start, ++tick_);
    } else if (dice < 92) {
      WriteBatch batch;
      const std::size_t other = (key + 1 + random() % (kKeys - 1)) % kKeys;
      batch.Put(Name(key), Text(value));
      batch.Delete(Name(other));
      ASSERT_TRUE(store_.Write(batch).ok());
      const std::uint64_t end = ++tick_;
      Note(thread, key, {Kind::kWrite, 0, 0, value}, start, end);
      Note(thread, other, {Kind::kWrite, 0, 0, 0}, start, end);
    } else {
      Swap(thread, key, value, start);
    }
  }

  std::uint64_t Seen(std::size_t key) {
    const auto value = store_.Get(Name(key));
    if (!value.ok()) {
      EXPECT_EQ(value.status().code(), StatusCode::kNotFound) << value.status().ToString();
      return 0;
    }
    EXPECT_EQ(*value, Text(Number(*value)));
    return Number(*value);
  }

  // A read, and then a compare-and-set of what it saw.
  void Swap(std::size_t thread, std::size_t key, std::uint64_t value, std::uint64_t start) {
    const std::uint64_t expected = Seen(key);
    Note(thread, key, {Kind::kRead, 0, 0, expected}, start, ++tick_);
    const std::uint64_t swap_start = ++tick_;
    const Status status = store_.CompareAndSet(
        Name(key), expected == 0 ? std::nullopt : std::optional(Text(expected)), Text(value));
    ASSERT_TRUE(status.ok() || status.code() == StatusCode::kAborted) << status.ToString();
    Note(thread, key, {status.ok() ? Kind::kSwapped : Kind::kNotSwapped, 0, 0, value, expected},
         swap_start, ++tick_);
  }

  Store& store_;
  const std::uint64_t seed_;
  std::vector<RegisterHistory> histories_;  // by key
  std::atomic<std::uint64_t> tick_ = 0;
  std::atomic<std::uint64_t> last_value_ = 0;
};

TEST(T2_Linearizability, EveryKeyLooksAsIfOneThingHappenedAfterTheOther) {
  const std::uint64_t seed = TestSeed();
  const std::uint64_t operations = Scaled(200'000, 10'000);
  const std::uint64_t seeds = Scaled(20, 4);
  std::uint64_t merges = 0;
  for (std::uint64_t i = 0; i < seeds && !HasFailure(); ++i) {
    Options options =
        InMemory(std::make_shared<InMemoryVfs>(), i % 4 == 0 ? SyncMode::kAlways : SyncMode::kNone);
    options.segment_size = 64 * 1024;
    options.read_path = i % 2 == 0 ? ReadPath::kMapped : ReadPath::kPread;
    options.value_cache_bytes = i % 3 == 0 ? 2000 : 0;
    options.max_open_files = 4;
    auto store = MustOpen(kDirectory, options);
    Workload workload(*store, seed + i, 4 + i % 5);
    {
      std::jthread merging([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          const Status merged = store->Merge({.min_garbage = 0.3});
          ASSERT_TRUE(merged.ok()) << merged.ToString();
        }
      });
      workload.Run(operations);
    }
    merges += store->GetStats().merges;
    workload.Check();
  }
  std::cout << operations << " operations, " << seeds << " seeds, " << merges << " merges"
            << std::endl;
}

}  // namespace
}  // namespace weir::kv
