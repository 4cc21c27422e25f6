// T12: money moves between accounts and is never made or lost, whatever a snapshot sees.
#include <atomic>
#include <charconv>
#include <thread>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

class Bank {
 public:
  static constexpr std::uint64_t kAccounts = 500;
  static constexpr std::int64_t kStart = 1000;

  explicit Bank(Store& store) : store_(store) {
    WriteBatch batch;
    for (std::uint64_t i = 0; i < kAccounts; ++i) batch.Put(Name(i), std::to_string(kStart));
    EXPECT_TRUE(store_.Write(batch).ok());
  }

  // Moves money by a batch that holds only if both accounts are as they were read.
  void Transfer(std::mt19937_64& random) {
    const std::uint64_t from = random() % kAccounts;
    const std::uint64_t to = (from + 1 + random() % (kAccounts - 1)) % kAccounts;
    const auto amount = static_cast<std::int64_t>(random() % 100);
    while (true) {
      const auto source = store_.GetEntry(Name(from));
      const auto target = store_.GetEntry(Name(to));
      ASSERT_TRUE(source.ok() && target.ok()) << source.status().ToString();
      WriteBatch batch;
      batch.RequireSeq(Name(from), source->seq);
      batch.RequireValue(Name(to), target->value);
      batch.Put(Name(from), std::to_string(Amount(source->value) - amount));
      batch.Put(Name(to), std::to_string(Amount(target->value) + amount));
      const Status status = store_.Write(batch);
      if (status.ok()) return;
      ASSERT_EQ(status.code(), StatusCode::kAborted) << status.ToString();
      ++retries_;
    }
  }

  void CheckBalance(ScanOptions options) {
    options.prefix = "account/";
    std::int64_t sum = 0;
    std::uint64_t accounts = 0;
    auto scan = store_.Scan(std::move(options));
    for (; scan->Valid(); scan->Next(), ++accounts) sum += Amount(scan->value());
    ASSERT_TRUE(scan->status().ok()) << scan->status().ToString();
    ASSERT_EQ(accounts, kAccounts);
    ASSERT_EQ(sum, kStart * static_cast<std::int64_t>(kAccounts));
  }

  // The same state twice, once by scanning and once key by key.
  void CheckSnapshot() {
    const auto snapshot = store_.GetSnapshot();
    std::int64_t sum = 0;
    std::string value;
    for (std::uint64_t i = 0; i < kAccounts; ++i) {
      const Status status = store_.Get(Name(i), &value, {.snapshot = snapshot});
      ASSERT_TRUE(status.ok()) << status.ToString();
      sum += Amount(value);
    }
    ASSERT_EQ(sum, kStart * static_cast<std::int64_t>(kAccounts));
    CheckBalance({.snapshot = snapshot});
  }

  std::uint64_t retries() const { return retries_; }

 private:
  static std::string Name(std::uint64_t account) {
    return "account/" + std::to_string(1000 + account);
  }
  static std::int64_t Amount(std::string_view text) {
    std::int64_t amount = 0;
    std::from_chars(text.data(), text.data() + text.size(), amount);
    return amount;
  }

  Store& store_;
  std::atomic<std::uint64_t> retries_ = 0;
};

TEST(T12_Bank, EverySnapshotBalancesUnderWritesAndMerges) {
  const std::uint64_t seed = TestSeed();
  const std::uint64_t transfers = Scaled(1'000'000, 30'000);
  constexpr std::uint64_t kThreads = 3;
  auto vfs = std::make_shared<InMemoryVfs>();
  Options options = InMemory(vfs, SyncMode::kNone);
  options.segment_size = 256 * 1024;
  auto store = MustOpen(kDirectory, options);
  Bank bank(*store);
  std::atomic<std::uint64_t> scans = 0;
  std::atomic<std::uint64_t> moved = 0;
  // Waits for the transfers to come this far; false: they have ended.
  const auto wait_for = [&](const std::stop_token& stop, std::uint64_t count) {
    while (moved < count && !stop.stop_requested()) std::this_thread::yield();
    return !stop.stop_requested();
  };
  {
    std::jthread merging([&](const std::stop_token& stop) {
      while (wait_for(stop, moved + 1000)) {
        const Status merged = store->Merge({.min_garbage = 0.5});
        ASSERT_TRUE(merged.ok()) << merged.ToString();
      }
    });
    std::jthread scanning([&](const std::stop_token& stop) {
      for (; wait_for(stop, moved + 100) && !HasFailure(); ++scans) {
        switch (scans % 4) {
          case 0:
            bank.CheckSnapshot();
            break;
          case 1:
            bank.CheckBalance({.reverse = true});
            break;
          default:
            bank.CheckBalance({});
        }
      }
    });
    std::vector<std::jthread> moving;
    for (std::uint64_t t = 0; t < kThreads; ++t) {
      moving.emplace_back([&, t] {
        std::mt19937_64 random(seed + t);
        for (std::uint64_t i = 0; i < transfers / kThreads && !HasFailure(); ++i) {
          bank.Transfer(random);
          ++moved;
        }
      });
    }
    moving.clear();
  }
  std::cout << transfers << " transfers, " << bank.retries() << " tried again, " << scans
            << " scans, " << store->GetStats().merges << " merges" << std::endl;
  EXPECT_GT(scans, transfers / 10'000);
  bank.CheckBalance({});
  store.reset();
  store = MustOpen(kDirectory, options);
  std::int64_t sum = 0;
  for (const auto& [key, value] : Contents(*store)) sum += std::stoll(value);
  EXPECT_EQ(sum, Bank::kStart * static_cast<std::int64_t>(Bank::kAccounts));
}

}  // namespace
}  // namespace weir::kv
