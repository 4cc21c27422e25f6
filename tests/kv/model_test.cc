// T1: the store does what std::map does, whatever it is asked: also conditions, snapshots, merges
// and backups.
#include <algorithm>
#include <optional>
#include <random>

#include "engine_fixture.h"
#include "weir/kv/backup.h"

namespace weir::kv {
namespace {

// One random life of a store beside its model.
class Life {
 public:
  Life(std::uint64_t seed, std::string directory)
      : random_(seed), directory_(std::move(directory)) {
    options_.sync.mode = SyncMode::kNone;
    options_.segment_size = 1 << 20;
    options_.max_open_files = 4;
    store_ = MustOpen(directory_, options_);
  }

  void Run(std::uint64_t operations) {
    for (std::uint64_t done = 0; done < operations && !::testing::Test::HasFailure(); ++done) {
      Step();
      if (done % (operations / 4) == operations / 8) Reopen();
      if (done % (operations / 4) == operations / 6) CheckBackup();
    }
    Reopen();
    ASSERT_EQ(Contents(*store_), model_);
  }

 private:
  std::string Key() {
    // Few keys, so that most are overwritten and deleted often; one of them is empty.
    const std::uint64_t number = random_() % 3000;
    return number == 0 ? std::string() : "k" + std::to_string(number * 7919);
  }
  std::string Value() { return std::string(random_() % 100, static_cast<char>(random_() % 256)); }

  void Step() {
    const std::uint64_t dice = random_() % 1000;
    if (dice < 400) {
      CheckGet(Key());
    } else if (dice < 750) {
      const std::string key = Key();
      const std::string value = Value();
      ASSERT_TRUE(store_->Put(key, value).ok());
      model_[key] = value;
    } else if (dice < 930) {
      const std::string key = Key();
      ASSERT_TRUE(store_->Delete(key).ok());
      model_.erase(key);
    } else if (dice < 975) {
      WriteSome();
    } else if (dice < 985) {
      CompareAndSet();
    } else if (dice < 999) {
      CheckScan();
    } else if (random_() % 8 == 0) {
      CheckSnapshot();
    } else if (random_() % 8 == 0) {
      const Status merged =
          store_->Merge({.min_garbage = static_cast<double>(random_() % 100) / 100});
      ASSERT_TRUE(merged.ok()) << merged.ToString();
    }
  }

  void CheckGet(const std::string& key) {
    const auto expected = model_.find(key);
    const Status status = store_->Get(key, &value_);
    if (expected == model_.end()) {
      ASSERT_EQ(status.code(), StatusCode::kNotFound);
    } else {
      ASSERT_TRUE(status.ok()) << status.ToString();
      ASSERT_EQ(value_, expected->second);
    }
  }

  void WriteSome() {
    WriteBatch batch;
    for (std::uint64_t i = 0, count = 1 + random_() % 10; i < count; ++i) {
      const std::string key = Key();
      if (random_() % 4 == 0) {
        batch.Delete(key);
        model_.erase(key);
      } else {
        model_[key] = Value();
        batch.Put(key, model_[key]);
      }
    }
    ASSERT_TRUE(store_->Write(batch).ok());
  }

  // Expects what is there or something else.
  void CompareAndSet() {
    const std::string key = Key();
    const auto known = model_.find(key);
    std::optional<std::string> expected;
    if (known != model_.end()) expected = known->second;
    const bool right = random_() % 2 == 0;
    if (!right) expected = expected ? std::nullopt : std::optional(Value());
    const std::string value = Value();
    const Status status = store_->CompareAndSet(key, expected, value);
    ASSERT_EQ(status.code(), right ? StatusCode::kOk : StatusCode::kAborted) << status.ToString();
    if (right) model_[key] = value;
  }

  // A part of the keys, forwards or backwards, by range or prefix.
  void CheckScan() {
    ScanOptions options{.limit = 20, .reverse = random_() % 2 == 0};
    if (random_() % 2 == 0) {
      options.prefix = "k" + std::to_string(random_() % 100);
    } else {
      options.start = Key();
      if (random_() % 2 == 0) options.end = Key();
    }
    std::vector<std::pair<std::string, std::string>> expected;
    for (auto at = model_.lower_bound(std::max(options.start, options.prefix));
         at != model_.end() && (options.end.empty() || at->first < options.end) &&
         at->first.starts_with(options.prefix);
         ++at) {
      expected.push_back(*at);
    }
    if (options.reverse) std::reverse(expected.begin(), expected.end());
    if (expected.size() > options.limit) expected.resize(options.limit);
    auto scan = store_->Scan(options);
    for (const auto& [key, value] : expected) {
      ASSERT_TRUE(scan->Valid());
      ASSERT_EQ(scan->key(), key);
      ASSERT_EQ(scan->value(), value);
      scan->Next();
    }
    ASSERT_FALSE(scan->Valid());
    ASSERT_TRUE(scan->status().ok()) << scan->status().ToString();
  }

  // A snapshot stays as it is under writes and a merge.
  void CheckSnapshot() {
    const auto snapshot = store_->GetSnapshot();
    const Model then = model_;
    for (int i = 0; i < 300; ++i) WriteSome();
    ASSERT_TRUE(store_->Merge({.min_garbage = 0.3}).ok());
    Model seen;
    auto scan = store_->Scan({.snapshot = snapshot});
    for (; scan->Valid(); scan->Next()) seen.emplace(scan->key(), scan->value());
    ASSERT_TRUE(scan->status().ok()) << scan->status().ToString();
    ASSERT_EQ(seen, then);
    const std::string key = Key();
    const Status status = store_->Get(key, &value_, {.snapshot = snapshot});
    ASSERT_EQ(status.ok(), then.contains(key)) << status.ToString();
  }

  void CheckBackup() {
    const std::string backups = directory_ + ".backups";
    const std::string restored = directory_ + ".restored";
    const auto made = store_->Backup(backups);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    const auto back = Restore(backups, 0, restored);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    ASSERT_EQ(Contents(*MustOpen(restored, options_)), model_);
    std::filesystem::remove_all(restored);
  }

  void Reopen() {
    store_.reset();
    store_ = MustOpen(directory_, options_);
    ASSERT_EQ(store_->GetStats().keys, model_.size());
  }

  std::mt19937_64 random_;
  const std::string directory_;
  Options options_;
  std::unique_ptr<Store> store_;
  Model model_;
  std::string value_;
};

TEST(T1_Model, TheStoreDoesWhatAMapDoes) {
  const std::uint64_t seed = TestSeed();
  const std::uint64_t operations = Scaled(5'000'000, 200'000);
  constexpr std::uint64_t kLives = 20;
  for (std::uint64_t life = 0; life < kLives && !HasFailure(); ++life) {
    const TempDirectory directory;
    Life(seed + life, directory.path() + "/store").Run(operations / kLives);
  }
}

}  // namespace
}  // namespace weir::kv
