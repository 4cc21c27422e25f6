#include "index.h"

#include <gtest/gtest.h>

#include <set>
#include <span>

#include "index_fixture.h"

namespace weir::kv {
namespace {

#ifdef NDEBUG
constexpr int kSteps = 40'000;
#else
constexpr int kSteps = 6'000;
#endif

// An index beside what it should hold, and what its snapshots should see.
class IndexBesideModel {
 public:
  explicit IndexBesideModel(std::uint64_t seed) : random_(seed), keys_(random_) {}

  void Step() {
    const auto kind = random_() % 100;
    if (kind < 40) {
      Change();
    } else if (kind < 50) {
      Relocate();
    } else if (kind < 54 && snapshots_.size() < 6) {
      index_.AddSnapshot(++last_snapshot_);
      snapshots_[last_snapshot_] = model_;
    } else if (kind < 58 && !snapshots_.empty()) {
      const auto at = AnySnapshot();
      index_.RemoveSnapshot(at->first);
      snapshots_.erase(at);
    } else if (kind < 59) {
      EraseSome();
    } else if (kind < 80) {
      CompareOne();
    } else {
      CompareRange();
    }
  }

  // Keys behind all others in ascending order, mostly one by one, with a few changes in between.
  void Append() {
    const std::size_t count = 1 + random_() % 200;
    const bool batch = random_() % 4 == 0;
    std::vector<std::string> names;
    std::vector<weir::kv::Change> changes;
    names.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      names.push_back("\xff\xff\xff\xff" + DecimalKey(appended_ += 1 + random_() % 2));
      if (random_() % 64 == 0) names.back().resize(names.back().size() + random_() % 3, 'x');
      Location location;
      location.offset = random_() % 100 == 0 ? random_() % 1000 : 128 * appended_;
      location.size = random_() % 100 == 0 ? 1000 : 128;
      changes.push_back({names.back(), location, random_() % 100 == 0});
      if (random_() % 100 == 0 && i > 0) changes.back().key = names[random_() % i];
    }
    for (const weir::kv::Change& change : changes) {
      if (change.deleted) {
        model_.erase(std::string(change.key));
      } else {
        model_.insert_or_assign(std::string(change.key), change.location);
      }
      if (!batch) index_.Apply({&change, 1});
    }
    if (batch) index_.Apply(changes);
  }

  void CompareAll() {
    Compare({}, kNewest, model_, ~std::size_t{0});
    for (const auto& [id, state] : snapshots_) Compare({}, id, state, ~std::size_t{0});
    std::map<std::uint32_t, std::int64_t> live;
    for (const auto& [key, location] : model_) live[location.slot] += location.size;
    std::erase_if(usage_.live, [](const auto& slot) { return slot.second == 0; });
    std::erase_if(live, [](const auto& slot) { return slot.second == 0; });
    EXPECT_EQ(usage_.live, live);
    EXPECT_EQ(index_.keys(), model_.size());
    if (snapshots_.empty()) {
      EXPECT_EQ(index_.overlay_bytes(), 0u);
    }
  }

 private:
  using States = std::map<SnapshotId, IndexModel>;
  States::iterator AnySnapshot() {
    return std::next(snapshots_.begin(), static_cast<long>(random_() % snapshots_.size()));
  }
  Location NewLocation() { return RandomLocation(random_, ++states_); }
  std::string KnownKey() {
    const auto at = model_.lower_bound(keys_.Next());
    return at != model_.end() ? at->first : keys_.Next();
  }

  void Change() {
    std::vector<std::string> names;
    const std::size_t count = random_() % 4 != 0 ? 1 : 1 + random_() % 150;
    for (std::size_t i = 0; i < count; ++i)
      names.push_back(random_() % 3 ? keys_.Next() : KnownKey());
    if (random_() % 3 == 0) std::sort(names.begin(), names.end());
    std::vector<weir::kv::Change> changes;
    const auto deleting = random_() % 5;
    for (const std::string& name : names) {
      changes.push_back({name, NewLocation(), random_() % 5 < deleting});
      if (changes.back().deleted) {
        model_.erase(name);
      } else {
        model_.insert_or_assign(name, changes.back().location);
      }
    }
    index_.Apply(changes);
  }

  void Relocate() {
    std::vector<std::string> names;
    std::vector<Move> moves;
    for (std::size_t i = 0; i < 1 + random_() % 40; ++i) names.push_back(KnownKey());
    std::vector<bool> expected;
    for (const std::string& name : names) {
      const auto at = model_.find(name);
      Move move{.key = name, .from = NewLocation(), .to = std::nullopt};
      if (at != model_.end() && random_() % 4 != 0) move.from = at->second;
      if (random_() % 8 != 0) {
        move.to = NewLocation();
        move.to->size = move.from.size;
      }
      moves.push_back(move);
      expected.push_back(at != model_.end() && at->second == move.from);
      if (!expected.back()) continue;
      if (move.to) {
        at->second = *move.to;
      } else {
        model_.erase(at);
      }
    }
    index_.Relocate(moves);
    for (std::size_t i = 0; i < moves.size(); ++i) EXPECT_EQ(moves[i].done, expected[i]);
  }

  void EraseSome() {
    const std::string from = keys_.Next();
    std::vector<std::string> names;
    for (auto at = model_.lower_bound(from); at != model_.end() && names.size() < 2000; ++at) {
      names.push_back(at->first);
    }
    std::vector<weir::kv::Change> changes;
    for (const std::string& name : names) {
      changes.push_back({name, {}, true});
      model_.erase(name);
    }
    index_.Apply(changes);
  }

  void CompareOne() {
    const auto pin = epochs_.Enter();
    const std::string key = random_() % 2 == 0 ? keys_.Next() : KnownKey();
    const auto found = index_.Find(pin, key);
    const auto at = model_.find(key);
    EXPECT_EQ(found, at != model_.end() ? std::optional(at->second) : std::nullopt);
    for (const auto& [id, state] : snapshots_) {
      const auto old = index_.Find(pin, key, id);
      const auto was = state.find(key);
      ASSERT_EQ(old.has_value(), was != state.end());
      if (old) {
        EXPECT_EQ(old->size, was->second.size);
      }
    }
  }

  void CompareRange() {
    const std::string start = random_() % 3 == 0 ? std::string() : KnownKey();
    const std::string end = random_() % 3 == 0 ? std::string() : KnownKey();
    const IndexRange range{.start = start,
                           .behind_start = random_() % 2 == 0,
                           .end = end,
                           .reverse = random_() % 2 == 0};
    const std::size_t most = random_() % 2 == 0 ? random_() % 8 : random_() % 400;
    Compare(range, kNewest, model_, most);
    if (snapshots_.empty()) return;
    const auto at = AnySnapshot();
    Compare(range, at->first, at->second, most);
  }

  void Compare(const IndexRange& range, SnapshotId id, const IndexModel& state, std::size_t most) {
    const auto pin = epochs_.Enter();
    index_.Collect(pin, range, id, most, portion_);
    const auto expected = Expected(state, range, most);
    ASSERT_EQ(portion_.size(), expected.size()) << Describe(range, most, id);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& [key, location] = expected[i];
      ASSERT_EQ(portion_.key(i), key) << Describe(range, most, id);
      // A snapshot may be told where a merge has moved the record, or where it was before.
      if (id == kNewest) {
        ASSERT_EQ(portion_.location(i), location) << Describe(range, most, id);
      }
      ASSERT_EQ(portion_.location(i).size, location.size) << Describe(range, most, id);
    }
  }
  static std::string Describe(const IndexRange& range, std::size_t most, SnapshotId id) {
    return "[" + std::string(range.start.substr(0, 40)) + ", " +
           std::string(range.end.substr(0, 40)) + ") behind start " +
           std::to_string(range.behind_start) + " reverse " + std::to_string(range.reverse) +
           " most " + std::to_string(most) + " at " + std::to_string(id);
  }

  std::mt19937_64 random_;
  RandomKeys keys_;
  Epochs epochs_;
  CountedUsage usage_;
  Index index_{epochs_, usage_};
  IndexPortion portion_;
  IndexModel model_;
  States snapshots_;
  std::uint64_t appended_ = 0;
  std::uint32_t states_ = 0;
  SnapshotId last_snapshot_ = 0;
};

TEST(Index, AgreesWithAMapWhileKeysAreAppended) {
  const std::uint64_t seed = IndexTestSeed();
  SCOPED_TRACE("WEIR_TEST_SEED=" + std::to_string(seed));
  IndexBesideModel test(seed);
  for (int round = 0; round < kSteps / 100; ++round) {
    test.Append();
    for (int i = 0; i < round % 4; ++i) test.Step();
    if (round % 20 == 0) test.CompareAll();
    if (::testing::Test::HasFailure()) return;
  }
  test.CompareAll();
}

TEST(Index, AgreesWithAMapUnderRandomOperationsAndSnapshots) {
  const std::uint64_t seed = IndexTestSeed();
  SCOPED_TRACE("WEIR_TEST_SEED=" + std::to_string(seed));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  IndexBesideModel both(seed);
  for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) {
    both.Step();
    if (i % (kSteps / 8) == 0) both.CompareAll();
  }
  both.CompareAll();
}

}  // namespace
}  // namespace weir::kv
