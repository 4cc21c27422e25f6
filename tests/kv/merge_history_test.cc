// What merging must never bring back, over long random histories.
#include "engine_fixture.h"
#include "jumping_clock.h"

namespace weir::kv {
namespace {

Options Tiny(std::shared_ptr<Vfs> vfs) {
  Options options = InMemory(std::move(vfs), SyncMode::kNone);
  options.segment_size = 4096;
  options.merge.automatic = false;
  return options;
}

// H5, H7: tombstones that are dropped too early would let older values return.
TEST(T10_Merges, NoDeletedKeyReturnsWhateverIsMergedAndReopened) {
  const QuietLog quiet;
  const std::uint64_t seed = TestSeed();
  const std::uint64_t wanted = Scaled(100'000, 2'000);
  constexpr std::uint64_t kLives = 20;
  std::uint64_t merges = 0;
  std::uint64_t reopened = 0;
  for (std::uint64_t life = 0; life < kLives; ++life) {
    std::mt19937_64 random(seed + life);
    const Options options = Tiny(std::make_shared<InMemoryVfs>());
    auto store = MustOpen(kDirectory, options);
    Model model;
    for (std::uint64_t round = 0; round < wanted / kLives; ++round, ++merges) {
      for (std::uint64_t i = 0, count = 1 + random() % 12; i < count; ++i) {
        const std::string key = "key" + std::to_string(random() % 40);
        if (random() % 3 == 0) {
          ASSERT_TRUE(store->Delete(key).ok());
          model.erase(key);
        } else {
          model[key] = std::string(50 + random() % 350, static_cast<char>('a' + random() % 26));
          ASSERT_TRUE(store->Put(key, model[key]).ok());
        }
      }
      // Segments with more garbage than this: any subset of them.
      const Status merged =
          store->Merge({.min_garbage = static_cast<double>(random() % 100) / 100});
      ASSERT_TRUE(merged.ok()) << merged.ToString();
      if (random() % 10 == 0) {
        store.reset();
        store = MustOpen(kDirectory, options);
        ++reopened;
      }
      ASSERT_EQ(Contents(*store), model) << "life " << life << " round " << round;
    }
  }
  std::cout << merges << " merges, " << reopened << " times reopened" << std::endl;
}

// Keys that expire beside what the store may say of them.
class Expiring {
 public:
  explicit Expiring(std::uint64_t seed) : random_(seed) {
    options_.clock = clock_;
    store_ = MustOpen(kDirectory, options_);
  }

  void Run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      if (i % 16 == 0) CheckAll();
    }
    CheckAll();
  }

 private:
  struct Known {
    std::string value;
    std::uint64_t expiry_ms = 0;  // 0: never
    bool gone = false;            // the store has said so before its time by the clock
  };

  std::uint64_t now() const { return clock_->WallMs(); }
  std::string Key() { return "key" + std::to_string(random_() % 30); }
  std::string Value() { return std::to_string(++values_) + std::string(random_() % 300, 'v'); }

  void Step() {
    const std::uint64_t dice = random_() % 100;
    if (dice < 40) {
      Put();
    } else if (dice < 50) {
      const std::string key = Key();
      ASSERT_TRUE(store_->Delete(key).ok());
      known_.erase(key);
    } else if (dice < 60) {
      PutIfAbsent();
    } else if (dice < 80) {
      Jump();
    } else if (dice < 95) {
      const Status merged =
          store_->Merge({.min_garbage = static_cast<double>(random_() % 100) / 100});
      ASSERT_TRUE(merged.ok()) << merged.ToString();
    } else {
      store_.reset();
      store_ = MustOpen(kDirectory, options_);
    }
  }

  void Put() {
    const std::string key = Key();
    Known known{.value = Value()};
    if (random_() % 2 == 0) {
      WriteBatch batch;
      if (random_() % 4 != 0) known.expiry_ms = now() - 5'000 + random_() % 100'000;
      batch.PutUntil(key, known.value, known.expiry_ms);
      ASSERT_TRUE(store_->Write(batch).ok());
    } else {
      const std::chrono::milliseconds ttl(1 + random_() % 100'000);
      ASSERT_TRUE(store_->Put(key, known.value, {.ttl = ttl}).ok());
      const auto entry = store_->GetEntry(key);
      ASSERT_TRUE(entry.ok()) << entry.status().ToString();
      known.expiry_ms = entry->expiry_ms;
      ASSERT_GE(known.expiry_ms, now() + static_cast<std::uint64_t>(ttl.count()));
      ASSERT_LE(known.expiry_ms, latest_ + static_cast<std::uint64_t>(ttl.count()));
    }
    known_[key] = std::move(known);
  }

  // What has expired is absent to conditions too.
  void PutIfAbsent() {
    const std::string key = Key();
    const bool absent = store_->Get(key).status().code() == StatusCode::kNotFound;
    WriteBatch batch;
    batch.RequireAbsent(key);
    Known known{.value = Value()};
    batch.Put(key, known.value);
    const Status status = store_->Write(batch);
    ASSERT_EQ(status.code(), absent ? StatusCode::kOk : StatusCode::kAborted)
        << key << ": " << status.ToString();
    if (absent) known_[key] = std::move(known);
  }

  void Jump() {
    std::uint64_t to = now() + random_() % 20'000;
    if (random_() % 3 == 0) to = now() - random_() % 60'000;
    if (random_() % 40 == 0) to = now() + 40 * 24 * 3600 * std::uint64_t{1000};
    clock_->JumpTo(to);
    latest_ = std::max(latest_, to);
  }

  void CheckAll() {
    for (int i = 0; i < 30; ++i) {
      const std::string key = "key" + std::to_string(i);
      const auto known = known_.find(key);
      const auto entry = store_->GetEntry(key);
      if (!entry.ok()) {
        ASSERT_EQ(entry.status().code(), StatusCode::kNotFound) << entry.status().ToString();
        if (known == known_.end()) continue;
        ASSERT_NE(known->second.expiry_ms, 0U) << key << " never expires and is lost";
        ASSERT_LE(known->second.expiry_ms, latest_) << key << " is gone before its time";
        if (now() < known->second.expiry_ms) known->second.gone = true;
        continue;
      }
      ASSERT_TRUE(known != known_.end()) << key << " was deleted and is back";
      ASSERT_EQ(entry->value, known->second.value) << key << ": an older value is back";
      ASSERT_EQ(entry->expiry_ms, known->second.expiry_ms);
      ASSERT_TRUE(entry->expiry_ms == 0 || now() < entry->expiry_ms) << key << " has expired";
      ASSERT_FALSE(known->second.gone) << key << " was gone and is back";
    }
    for (auto scan = store_->Scan({}); scan->Valid(); scan->Next()) {
      const auto known = known_.find(std::string(scan->key()));
      ASSERT_TRUE(known != known_.end() && !known->second.gone) << scan->key();
      ASSERT_EQ(scan->value(), known->second.value);
      ASSERT_TRUE(known->second.expiry_ms == 0 || now() < known->second.expiry_ms);
    }
  }

  std::mt19937_64 random_;
  std::uint64_t latest_ = 1'700'000'000'000;  // the latest time that was ever shown
  const std::shared_ptr<JumpingClock> clock_ = std::make_shared<JumpingClock>(latest_);
  Options options_ = Tiny(std::make_shared<InMemoryVfs>());
  std::unique_ptr<Store> store_;
  std::map<std::string, Known> known_;
  std::uint64_t values_ = 0;
};

// H6, H17: expired records that are dropped too early would let older values return; a clock that
// jumps back would let the key itself return.
TEST(T11_Expiry, NothingComesBackWhateverTheClockDoes) {
  const QuietLog quiet;
  const std::uint64_t seed = TestSeed();
  const std::uint64_t lives = Scaled(100, 10);
  const std::uint64_t steps = Scaled(2'000, 500);
  for (std::uint64_t life = 0; life < lives && !HasFailure(); ++life) {
    Expiring(seed + life).Run(steps);
  }
  std::cout << lives * steps << " steps" << std::endl;
}

}  // namespace
}  // namespace weir::kv
