// Ordered scans and the snapshots they look at.
#include <random>

#include "engine_fixture.h"

namespace weir::kv {
namespace {

class ScanTest : public ::testing::Test {
 protected:
  std::vector<std::string> Keys(const ScanOptions& options) {
    std::vector<std::string> keys;
    auto scan = store_->Scan(options);
    for (; scan->Valid(); scan->Next()) keys.emplace_back(scan->key());
    EXPECT_TRUE(scan->status().ok());
    return keys;
  }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  std::unique_ptr<Store> store_ = MustOpen(kDirectory, InMemory(vfs_, SyncMode::kNone));
};

TEST_F(ScanTest, VisitsRangesPrefixesAndLimitsInByteOrder) {
  for (const char* key : {"b", "a", "ab", "abc", "ac", "\xff", "\xff\xff", "", "B"}) {
    ASSERT_TRUE(store_->Put(key, "v").ok());
  }
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Keys({}), (Strings{"", "B", "a", "ab", "abc", "ac", "b", "\xff", "\xff\xff"}));
  EXPECT_EQ(Keys({.start = "ab", .end = "b"}), (Strings{"ab", "abc", "ac"}));
  EXPECT_EQ(Keys({.prefix = "ab"}), (Strings{"ab", "abc"}));
  EXPECT_EQ(Keys({.prefix = "\xff"}), (Strings{"\xff", "\xff\xff"}));
  EXPECT_EQ(Keys({.start = "abb", .prefix = "ab"}), (Strings{"abc"}));
  EXPECT_EQ(Keys({.end = "ab", .prefix = "a"}), (Strings{"a"}));
  EXPECT_EQ(Keys({.limit = 2}), (Strings{"", "B"}));
  EXPECT_EQ(Keys({.start = std::string("ab") + '\0', .limit = 1}), (Strings{"abc"}));
  EXPECT_EQ(Keys({.start = "c", .end = "b"}), Strings{});
}

TEST_F(ScanTest, AgreesWithASortedMapForRandomRanges) {
  std::mt19937_64 random(7);
  Model model;
  for (int i = 0; i < 5000; ++i) {
    const std::string key = std::to_string(random() % 20'000);
    model[key] = std::to_string(i);
    ASSERT_TRUE(store_->Put(key, model[key]).ok());
  }
  for (int i = 0; i < 200; ++i) {
    ScanOptions options{.start = std::to_string(random() % 20'000),
                        .end = std::to_string(random() % 20'000),
                        .limit = random() % 3000};
    Model expected;
    for (auto at = model.lower_bound(options.start); at != model.end() && at->first < options.end;
         ++at) {
      if (options.limit != 0 && expected.size() == options.limit) break;
      expected.insert(*at);
    }
    Model seen;
    for (auto scan = store_->Scan(options); scan->Valid(); scan->Next()) {
      seen.emplace(scan->key(), scan->value());
    }
    ASSERT_EQ(seen, expected);
  }
}

TEST_F(ScanTest, SeesTheStateOfItsBeginningWhateverIsWrittenMeanwhile) {
  std::mt19937_64 random(11);
  Model model;
  const auto write = [&] {
    const std::string key = std::to_string(random() % 300);
    if (random() % 3 == 0) {
      ASSERT_TRUE(store_->Delete(key).ok());
      model.erase(key);
    } else {
      model[key] = std::to_string(random());
      ASSERT_TRUE(store_->Put(key, model[key]).ok());
    }
  };
  struct Open {
    std::unique_ptr<Iterator> scan;
    Model expected;
    Model seen;
  };
  std::vector<Open> scans;
  for (int i = 0; i < 20'000; ++i) {
    write();
    if (scans.size() < 8 && random() % 20 == 0) scans.push_back({store_->Scan({}), model, {}});
    if (scans.empty()) continue;
    const std::size_t chosen = random() % scans.size();
    Open& open = scans[chosen];
    if (open.scan->Valid()) {
      open.seen.emplace(open.scan->key(), open.scan->value());
      open.scan->Next();
    } else {
      ASSERT_EQ(open.seen, open.expected);
      scans.erase(scans.begin() + static_cast<std::ptrdiff_t>(chosen));
    }
  }
  scans.clear();
  EXPECT_EQ(Contents(*store_), model);
  EXPECT_EQ(store_->GetStats().keys, model.size());
}

TEST_F(ScanTest, ShowsABatchWholeOrNotAtAll) {
  WriteBatch first;
  for (int i = 0; i < 50; ++i) first.Put("k" + std::to_string(i), "old");
  ASSERT_TRUE(store_->Write(first).ok());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int round = 0; !stop; ++round) {
      WriteBatch batch;
      for (int i = 0; i < 50; ++i) batch.Put("k" + std::to_string(i), std::to_string(round));
      EXPECT_TRUE(store_->Write(batch).ok());
    }
  });
  for (int i = 0; i < 300; ++i) {
    const Model contents = Contents(*store_);
    ASSERT_EQ(contents.size(), 50U);
    for (const auto& [key, value] : contents) ASSERT_EQ(value, contents.begin()->second);
  }
  stop = true;
  writer.join();
}

TEST_F(ScanTest, KeysOnlyReadsNoFile) {
  ASSERT_TRUE(store_->Put("a", "value").ok());
  const std::string path = kDirectory + "/000001.data";
  std::string damaged = vfs_->Contents(path);
  damaged[damaged.find("value")] ^= 1;
  vfs_->SetContents(path, damaged);
  auto scan = store_->Scan({.keys_only = true});
  ASSERT_TRUE(scan->Valid());
  EXPECT_EQ(scan->key(), "a");
  EXPECT_EQ(scan->value(), "");
  auto values = store_->Scan({});
  EXPECT_FALSE(values->Valid());
  EXPECT_EQ(values->status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(store_->Get("a").status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace weir::kv
