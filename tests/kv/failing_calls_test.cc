// T9: each call of a script fails once, in every way a device knows.
#include "engine_fixture.h"

namespace weir::kv {
namespace {

// What a script has been told.
struct Told {
  std::map<std::string, Status> writes;  // by the first key of each batch
  bool wrong = false;                    // a read has shown what is not true
};

class FailingCallsTest : public ::testing::Test {
 protected:
  static Options With(std::shared_ptr<Vfs> vfs) {
    Options options = InMemory(std::move(vfs));
    options.segment_size = 4096;
    options.merge.automatic = false;
    options.read_path = ReadPath::kPread;
    options.max_open_files = 2;
    return options;
  }
  static std::string Key(int i) { return "k" + std::to_string(i); }
  static std::string Value(int i) { return std::string(400, static_cast<char>('a' + i % 26)); }

  // Batches over several segments, a merge, reads, a close and more.
  static Told Run(const Options& options) {
    Told told;
    for (int life = 0; life < 2; ++life) {
      auto store = Store::Open(kDirectory, options);
      if (!store.ok()) continue;
      for (int i = life * 20; i < life * 20 + 20; ++i) {
        WriteBatch batch;
        batch.Put(Key(i), Value(i));
        batch.Put(Key(i) + "'", Key(i));
        batch.Put("overwritten", Value(i));
        told.writes.emplace(Key(i), (*store)->Write(batch));
      }
      (void)(*store)->Merge({});
      CheckReads(**store, told);
    }
    return told;
  }

  // A read may fail, but must not be wrong: it must not even say that a key is not there.
  static void CheckReads(Store& store, Told& told) {
    for (const auto& [key, outcome] : told.writes) {
      const auto value = store.Get(key);
      const bool there = value.ok();
      const bool absent = value.status().code() == StatusCode::kNotFound;
      if (outcome.ok() && absent) told.wrong = true;
      if (!outcome.ok() && outcome.code() != StatusCode::kUnknown && there) told.wrong = true;
      if (there && *value != Value(std::stoi(key.substr(1)))) told.wrong = true;
    }
    std::size_t seen = 0;
    auto scan = store.Scan({});
    for (; scan->Valid(); scan->Next()) ++seen;
    std::size_t least = 0;
    for (const auto& [key, outcome] : told.writes) least += outcome.ok() ? 2 : 0;
    if (scan->status().ok() && seen < least) told.wrong = true;
  }

  static void CheckAfter(Store& store, const Told& told, std::uint64_t n) {
    for (const auto& [key, outcome] : told.writes) {
      const bool there = store.Get(key).ok();
      ASSERT_EQ(there, store.Get(key + "'").ok()) << "half a batch, call " << n;
      if (outcome.code() == StatusCode::kUnknown) continue;
      ASSERT_EQ(there, outcome.ok()) << key << " after " << outcome.ToString() << ", call " << n;
    }
  }

  // Runs the script with the n-th call of `kind` (without: of all that change something) failing,
  // for every n. Returns how many there were.
  std::uint64_t FailEach(std::optional<Call> kind, const Fault& fault) {
    for (std::uint64_t n = 0;; ++n) {
      auto vfs = std::make_shared<FaultVfs>();
      std::uint64_t made = 0;
      vfs->Fail({.call = kind, .nth = n, .fault = fault});
      const Told told = Run(With(vfs));
      made = vfs->injected();
      EXPECT_FALSE(told.wrong) << "call " << n;
      std::mt19937_64 random(n);
      for (const auto unsynced : {Unsynced::kKept, Unsynced::kDropped}) {
        auto store = Store::Open(kDirectory, With(vfs->CrashImage(unsynced, random)));
        EXPECT_TRUE(store.ok()) << "call " << n << ": " << store.status().ToString();
        if (store.ok()) CheckAfter(**store, told, n);
        if (HasFailure()) return n;
      }
      if (made == 0) return n;
    }
  }

  QuietLog quiet_;
};

TEST_F(FailingCallsTest, T9_WhatChangesSomething) {
  std::uint64_t runs = 0;
  for (const Fault& fault :
       {Fault{StatusCode::kInternal, 0}, Fault{StatusCode::kInternal, 0.5},
        Fault{StatusCode::kInternal, 1}, Fault{StatusCode::kResourceExhausted, 0.7}}) {
    runs += FailEach(std::nullopt, fault);
    if (HasFailure()) return;
  }
  std::cout << runs << " failing calls" << std::endl;
  EXPECT_GT(runs, 300U);
}

TEST_F(FailingCallsTest, T9_WhatOnlyLooks) {
  std::uint64_t runs = 0;
  for (const Call call : {Call::kOpen, Call::kRead, Call::kMap, Call::kList, Call::kSize,
                          Call::kInode, Call::kLock}) {
    runs += FailEach(call, {StatusCode::kInternal});
    if (HasFailure()) return;
  }
  std::cout << runs << " failing calls" << std::endl;
  EXPECT_GT(runs, 100U);
}

TEST_F(FailingCallsTest, T9_H23_OpeningFailsBecauseDescriptorsRunOut) {
  const std::uint64_t runs = FailEach(Call::kOpen, {StatusCode::kUnavailable}) +
                             FailEach(Call::kCreate, {StatusCode::kUnavailable}) +
                             FailEach(Call::kMap, {StatusCode::kUnavailable});
  std::cout << runs << " failing calls" << std::endl;
  EXPECT_GT(runs, 10U);
}

// H15.
class FullDeviceTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FullDeviceTest, H15_OnlyWritersFailAndTheyResumeWhenSpaceReturns) {
  const QuietLog quiet;
  auto files = std::make_shared<InMemoryVfs>();
  Options options = InMemory(files);
  options.segment_size = 64 * 1024;
  options.merge.automatic = false;
  auto store = MustOpen(kDirectory, options);
  Model model;
  const auto put = [&](int i) {
    const std::string key = "k" + std::to_string(i % 100);
    const std::string value(500, static_cast<char>('a' + i % 26));
    Status status = store->Put(key, value);
    if (status.ok()) model[key] = value;
    return status;
  };
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(put(i).ok());
  files->SetCapacity(files->used() + GetParam());
  Status status;
  for (int i = 300; status.ok(); ++i) status = put(i);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status.ToString();
  EXPECT_FALSE(store->GetStats().fenced);
  EXPECT_EQ(Contents(*store), model) << "reads go on";
  EXPECT_EQ(put(1).code(), StatusCode::kResourceExhausted);
  files->SetCapacity(files->used() + (1 << 20));
  EXPECT_TRUE(put(2).ok()) << "writes resume alone";
  EXPECT_EQ(Contents(*store), model);
  std::mt19937_64 random(1);
  store.reset();
  options.vfs = files->CrashImage(Unsynced::kDropped, random);
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options)), model);
}

INSTANTIATE_TEST_SUITE_P(RoomLeft, FullDeviceTest,
                         ::testing::Values(0, 10, 300, 5'000, 60'000, 66'000));

}  // namespace
}  // namespace weir::kv
