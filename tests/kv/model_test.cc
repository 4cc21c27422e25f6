// T1: the store does what std::map does.
#include <random>

#include "engine_fixture.h"

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
    } else if (dice < 990) {
      WriteSome();
    } else {
      CheckScan();
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

  void CheckScan() {
    const std::string start = Key();
    auto expected = model_.lower_bound(start);
    auto scan = store_->Scan({.start = start, .limit = 20});
    for (int i = 0; i < 20 && expected != model_.end(); ++i, ++expected, scan->Next()) {
      ASSERT_TRUE(scan->Valid());
      ASSERT_EQ(scan->key(), expected->first);
      ASSERT_EQ(scan->value(), expected->second);
    }
    ASSERT_FALSE(scan->Valid());
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
  const char* given = std::getenv("WEIR_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  const std::uint64_t operations = Scaled(5'000'000, 200'000);
  constexpr std::uint64_t kLives = 20;
  for (std::uint64_t life = 0; life < kLives && !HasFailure(); ++life) {
    const TempDirectory directory;
    Life(seed + life, directory.path() + "/store").Run(operations / kLives);
  }
}

}  // namespace
}  // namespace weir::kv
