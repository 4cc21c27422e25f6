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

// All of the sizes of heads, keys and values that are read in ways of their own, side by side.
TEST_F(ScanTest, ReadsRecordsOfAllSizesInAllDirections) {
  std::mt19937_64 random(TestSeed());
  Model model;
  for (const ReadPath path : {ReadPath::kMapped, ReadPath::kPread}) {
    Options options = InMemory(vfs_, SyncMode::kNone);
    options.read_path = path;
    options.segment_size = 64 << 10;
    store_.reset();
    store_ = MustOpen(kDirectory, options);
    for (int i = 0; i < 1000; ++i) {
      std::string key(random() % 4 == 0 ? random() % 300 : random() % 20, '\0');
      for (char& byte : key) byte = static_cast<char>(random() % 3);
      const std::size_t size = random() % 20 == 0 ? random() % 20'000 : random() % 200;
      const std::string value(size, static_cast<char>(random()));
      const bool expires = random() % 8 == 0;
      const std::chrono::hours ttl(expires ? 1000 : 0);
      ASSERT_TRUE(store_->Put(key, value, {.ttl = ttl}).ok());
      model[key] = value;
    }
    EXPECT_EQ(Contents(*store_), model);
    auto at = model.rbegin();
    auto scan = store_->Scan({.reverse = true});
    for (; scan->Valid(); scan->Next(), ++at) {
      ASSERT_NE(at, model.rend());
      ASSERT_EQ(scan->key(), at->first);
      ASSERT_EQ(scan->value(), at->second);
    }
    EXPECT_EQ(at, model.rend());
    EXPECT_TRUE(scan->status().ok()) << scan->status().ToString();
    auto key = model.begin();
    for (auto keys = store_->Scan({.keys_only = true}); keys->Valid(); keys->Next(), ++key) {
      ASSERT_NE(key, model.end());
      ASSERT_EQ(keys->key(), key->first);
      ASSERT_EQ(keys->value(), "");
    }
    EXPECT_EQ(key, model.end());
  }
}

// Records are read some at a time: wherever the bad one is among them, those before it are shown.
TEST_F(ScanTest, EndsAtABadRecordWhereverItIs) {
  constexpr std::size_t kKeys = 70;
  Options options = InMemory(vfs_, SyncMode::kNone);
  options.segment_size = 4096;
  store_.reset();
  store_ = MustOpen(kDirectory, options);
  const auto key_of = [](std::size_t i) { return "key " + std::to_string(100'000 + i); };
  for (std::size_t i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(store_->Put(key_of(i), "value of " + key_of(i)).ok());
  }
  ASSERT_TRUE(store_->Merge().ok());
  store_.reset();
  std::string path;  // of the segment that all of them are in
  for (int fid = 1; path.empty() && fid < 10; ++fid) {
    const std::string name = kDirectory + "/00000" + std::to_string(fid) + ".data";
    if (vfs_->Contents(name).find(key_of(kKeys - 1)) != std::string::npos) path = name;
  }
  const std::string whole = vfs_->Contents(path);
  for (std::size_t bad = 0; bad < kKeys; ++bad) {
    const std::size_t at = whole.find("value of " + key_of(bad));
    ASSERT_NE(at, std::string::npos);
    std::string damaged = whole;
    damaged[at + bad % 15] ^= 1;
    for (const ReadPath read_path : {ReadPath::kMapped, ReadPath::kPread}) {
      const std::shared_ptr<FaultVfs> image = vfs_->Clone();
      image->SetContents(path, damaged);
      options.vfs = image;
      options.read_path = read_path;
      store_ = MustOpen(kDirectory, options);
      for (const bool reverse : {false, true}) {
        const std::size_t good = reverse ? kKeys - 1 - bad : bad;
        auto scan = store_->Scan({.reverse = reverse});
        std::size_t seen = 0;
        for (; scan->Valid(); scan->Next(), ++seen) {
          ASSERT_TRUE(scan->status().ok());
          const std::string key = key_of(reverse ? kKeys - 1 - seen : seen);
          ASSERT_EQ(scan->key(), key);
          ASSERT_EQ(scan->value(), "value of " + key);
        }
        EXPECT_EQ(seen, good);
        EXPECT_EQ(scan->status().code(), StatusCode::kDataLoss);
        if (good == 0) continue;
        auto limited = store_->Scan({.limit = good, .reverse = reverse});
        for (seen = 0; limited->Valid(); limited->Next()) ++seen;
        EXPECT_EQ(seen, good);
        EXPECT_TRUE(limited->status().ok()) << "it has not come to the bad one";
      }
      store_.reset();
    }
  }
}

}  // namespace
}  // namespace weir::kv
