// T7: a merge is interrupted after every step, and so is the recovery from that.
#include "engine_fixture.h"

namespace weir::kv {
namespace {

class MergeCrashTest : public ::testing::Test {
 protected:
  MergeCrashTest() { options_.segment_size = 4096, options_.merge.automatic = false; }

  // A store with garbage, tombstones and batches in several segments.
  void MakeStore() {
    const auto vfs = std::make_shared<FaultVfs>();
    options_.vfs = vfs;
    auto store = MustOpen(kDirectory, options_);
    std::mt19937_64 random(7);
    for (int i = 0; i < 60; ++i) {
      WriteBatch batch;
      for (std::uint64_t j = 0, count = 1 + random() % 3; j < count; ++j) {
        const std::string key = "key" + std::to_string(random() % 15);
        if (random() % 4 == 0) {
          batch.Delete(key);
          model_.erase(key);
        } else {
          model_[key] = std::string(100 + random() % 200, static_cast<char>('a' + i % 26));
          batch.Put(key, model_[key]);
        }
      }
      ASSERT_TRUE(store->Write(batch).ok());
    }
    store.reset();
    made_ = vfs->Clone();
  }

  // The state after the merge was killed at its n-th changing call; null if it had ended before.
  std::shared_ptr<FaultVfs> MergeKilledAt(std::uint64_t n) {
    const std::shared_ptr<FaultVfs> vfs = made_->Clone();
    options_.vfs = vfs;
    auto store = MustOpen(kDirectory, options_);
    const std::uint64_t before = vfs->calls();
    vfs->KillAt(before + n);
    (void)store->Merge({});
    if (vfs->calls() <= before + n) return nullptr;
    // What the dead process does on its way out no longer changes anything.
    store.reset();
    return vfs;
  }

  // Opens the image, killed at every call of the recovery, and checks what is there in the end.
  void RecoverKilledEverywhere(const FaultVfs& crashed, std::mt19937_64& random) {
    for (std::uint64_t m = 0;; ++m) {
      const std::shared_ptr<FaultVfs> vfs = crashed.Clone();
      vfs->KillAt(m);
      options_.vfs = vfs;
      Store::Open(kDirectory, options_).status().ok();
      const bool ended = vfs->calls() <= m;
      for (const auto unsynced : {Unsynced::kDropped, Unsynced::kReordered}) {
        options_.vfs = vfs->CrashImage(unsynced, random);
        auto store = Store::Open(kDirectory, options_);
        ASSERT_TRUE(store.ok()) << "recovery killed at " << m << ": " << store.status().ToString();
        ASSERT_EQ(Contents(**store), model_) << "recovery killed at " << m;
        ++pairs_;
      }
      if (ended) break;
    }
  }

  QuietLog quiet_;
  Options options_ = InMemory(nullptr);
  std::shared_ptr<FaultVfs> made_;
  Model model_;
  std::uint64_t pairs_ = 0;
};

TEST_F(MergeCrashTest, T7_EveryPairOfACrashInAMergeAndOneInTheRecoveryLosesNothing) {
  MakeStore();
  std::mt19937_64 random(7);
  std::uint64_t points = 0;
  for (std::uint64_t n = 0;; n += Scaled(1, 3), ++points) {
    const auto killed = MergeKilledAt(n);
    if (killed == nullptr) break;
    for (const auto unsynced :
         {Unsynced::kDropped, Unsynced::kPartlyKept, Unsynced::kReordered, Unsynced::kKept}) {
      SCOPED_TRACE("merge killed at " + std::to_string(n) + ", unsynced " +
                   std::to_string(static_cast<int>(unsynced)));
      RecoverKilledEverywhere(*killed->CrashImage(unsynced, random), random);
      if (HasFatalFailure()) return;
    }
  }
  std::cout << points << " points in the merge, " << pairs_ << " pairs with the recovery"
            << std::endl;
  EXPECT_GT(points, Scaled(10, 3));
}

TEST_F(MergeCrashTest, H8_AMergeAfterAnInterruptedOneFinishesTheWork) {
  MakeStore();
  std::mt19937_64 random(8);
  for (std::uint64_t n = 0;; ++n) {
    const auto killed = MergeKilledAt(n);
    if (killed == nullptr) break;
    options_.vfs = killed->CrashImage(Unsynced::kDropped, random);
    auto store = MustOpen(kDirectory, options_);
    ASSERT_TRUE(store->Delete("key1").ok());
    ASSERT_TRUE(store->Merge({}).ok());
    Model expected = model_;
    expected.erase("key1");
    ASSERT_EQ(Contents(*store), expected) << "killed at " << n;
    store.reset();
    store = MustOpen(kDirectory, options_);
    ASSERT_EQ(Contents(*store), expected) << "killed at " << n;
  }
}

}  // namespace
}  // namespace weir::kv
