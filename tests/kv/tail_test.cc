// T3, T4: the end of the log is cut off or replaced, at every byte.
#include "commit_history.h"
#include "engine_fixture.h"

namespace weir::kv {
namespace {

const std::string kFirst = kDirectory + "/000001.data";
const std::string kSecond = kDirectory + "/000002.data";

// A history of 64 KiB in two segments, whose log is then damaged in a store whose other files fit.
class TailTest : public ::testing::Test {
 protected:
  // A segment while it was the last one.
  struct Log {
    std::string path;
    std::string contents;
    std::shared_ptr<FaultVfs> image;
    std::vector<std::uint64_t> ends;  // of each commit in it
    std::size_t commits_before = 0;   // in segments before it
  };

  TailTest() {
    auto vfs = std::make_shared<FaultVfs>();
    options_ = InMemory(vfs);
    options_.segment_size = 48 * 1024;
    options_.merge.automatic = false;
    auto store = MustOpen(kDirectory, options_);
    first_.path = kFirst;
    second_.path = kSecond;
    std::uint64_t bytes = 0;
    while (bytes < 64 * 1024) {
      if (!vfs->Exists(kSecond)) first_.image = vfs->Clone();
      EXPECT_TRUE(history_.CommitNext(*store).ok());
      Log& log = vfs->Exists(kSecond) ? second_ : first_;
      log.ends.push_back(WithoutPrepared(vfs->Contents(log.path)).size());
      bytes = log.ends.back() + (log.path == kSecond ? first_.ends.back() : 0);
    }
    second_.image = vfs->Clone();
    second_.commits_before = first_.ends.size();
    first_.contents = vfs->Contents(kFirst);
    EXPECT_EQ(first_.contents.size(), first_.ends.back());
    second_.contents = WithoutPrepared(vfs->Contents(kSecond));
    EXPECT_GT(second_.contents.size(), 10'000U);
  }

  // Opens the store with `contents` as its last segment: it must hold the commits of which every
  // byte is there.
  void Check(const Log& log, const std::string& contents, bool write) {
    const auto changed = static_cast<std::uint64_t>(
        std::mismatch(contents.begin(), contents.end(), log.contents.begin(), log.contents.end())
            .first -
        contents.begin());
    std::size_t commits = 0;
    while (commits < log.ends.size() && log.ends[commits] <= changed) ++commits;
    Model expected = history_.states()[log.commits_before + commits];
    options_.vfs = log.image->Clone();
    static_cast<FaultVfs&>(*options_.vfs).SetContents(log.path, contents);
    auto store = Store::Open(kDirectory, options_);
    ASSERT_TRUE(store.ok()) << log.path << " changed at " << changed << ": "
                            << store.status().ToString();
    ASSERT_EQ(Contents(**store), expected) << log.path << " changed at " << changed;
    if (!write) return;
    // H2: what is written behind the cut is found again.
    ASSERT_TRUE((*store)->Put("new", "value").ok());
    store->reset();
    store = Store::Open(kDirectory, options_);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    expected["new"] = "value";
    ASSERT_EQ(Contents(**store), expected);
  }

  QuietLog quiet_;
  Options options_;
  CommitHistory history_{3};
  Log first_;
  Log second_;
};

TEST_F(TailTest, T3_ALogCutAtAnyByteReopensToTheCommitsBeforeTheCut) {
  std::uint64_t cuts = 0;
  for (const Log* log : {&first_, &second_}) {
    const std::uint64_t step = kSlowBuild ? 23 : 1;
    for (std::uint64_t cut = 64; cut <= log->contents.size(); cut += step, ++cuts) {
      Check(*log, log->contents.substr(0, cut), cut % 16 == 0);
      if (HasFatalFailure()) return;
    }
  }
  std::cout << cuts << " cuts" << std::endl;
  EXPECT_GE(cuts, kSlowBuild ? 2'500U : 60'000U);
}

TEST_F(TailTest, ZeroesBehindTheLastRecordAreCutOffAndAreNoDamage) {
  const std::shared_ptr<FaultVfs> image = second_.image->Clone();
  ASSERT_GT(image->Contents(kSecond).size(), second_.contents.size());
  options_.vfs = image;
  const auto store = MustOpen(kDirectory, options_);
  EXPECT_EQ(image->Contents(kSecond), second_.contents);
  EXPECT_FALSE(image->Exists(kDirectory + "/quarantine"));
}

TEST_F(TailTest, H2_OnlyTheTornBytesAreSetAsideNotTheZeroesBehindThem) {
  const std::shared_ptr<FaultVfs> image = second_.image->Clone();
  const std::string torn = "\x01torn";
  image->SetContents(kSecond, second_.contents + torn + std::string(5000, '\0'));
  options_.vfs = image;
  const auto store = MustOpen(kDirectory, options_);
  EXPECT_EQ(image->Contents(kSecond), second_.contents);
  EXPECT_EQ(image->Contents(kDirectory + "/quarantine/000002.data." +
                            std::to_string(second_.contents.size())),
            torn);
}

TEST_F(TailTest, H1_ZeroesAtTheEndOfASealedSegmentAreDamage) {
  const std::shared_ptr<FaultVfs> image = second_.image->Clone();
  (void)image->Remove(kDirectory + "/000001.hint");  // with it the records are not read yet
  const std::uint64_t last = first_.ends[first_.ends.size() - 2];
  image->SetContents(
      kFirst, first_.contents.substr(0, last) + std::string(first_.contents.size() - last, '\0'));
  options_.vfs = image;
  EXPECT_EQ(Store::Open(kDirectory, options_).status().code(), StatusCode::kDataLoss);
}

// What a device may hand out for blocks that were not written.
enum class Tail { kZeroes, kRandom, kStale };

class ReplacedTailTest : public TailTest, public ::testing::WithParamInterface<Tail> {
 protected:
  std::string Filler(const Log& log, std::uint64_t cut, std::mt19937_64& random) {
    std::string filler(1 + random() % (log.contents.size() - cut + 4096), '\0');
    if (GetParam() == Tail::kRandom) {
      for (char& c : filler) c = static_cast<char>(random());
    } else if (GetParam() == Tail::kStale) {
      // Whole records of this store from somewhere else: of the other segment, or of this one.
      const Log& from = random() % 2 == 0 ? first_ : second_;
      const std::uint64_t at = from.ends[random() % from.ends.size()];
      for (std::size_t i = 0; i < filler.size(); ++i) {
        filler[i] = from.contents[(at + i) % from.contents.size()];
      }
    }
    return filler;
  }
};

TEST_P(ReplacedTailTest, T4_AReplacedTailReopensToTheCommitsBeforeIt) {
  const std::uint64_t seed = TestSeed();
  std::mt19937_64 random(seed);
  const std::uint64_t cases = Scaled(10'000, 500);
  for (std::uint64_t i = 0; i < cases; ++i) {
    const Log& log = i % 3 == 0 ? second_ : first_;
    const std::uint64_t cut = 64 + random() % (log.contents.size() - 63);
    Check(log, log.contents.substr(0, cut) + Filler(log, cut, random), i % 16 == 0);
    if (HasFatalFailure()) return;
  }
}

std::string NameOf(const ::testing::TestParamInfo<Tail>& tested) {
  constexpr const char* kNames[] = {"Zeroes", "Random", "Stale"};
  return kNames[static_cast<int>(tested.param)];
}

INSTANTIATE_TEST_SUITE_P(Tails, ReplacedTailTest,
                         ::testing::Values(Tail::kZeroes, Tail::kRandom, Tail::kStale), NameOf);

}  // namespace
}  // namespace weir::kv
