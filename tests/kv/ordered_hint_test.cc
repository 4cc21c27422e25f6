// Hints of segments that lie in the order of keys (version 2): they say where the records are, the
// records say the rest, and nothing of either is believed that the other does not bear out.
#include <gmock/gmock.h>

#include <random>

#include "coding.h"
#include "engine_fixture.h"
#include "hint_file.h"
#include "manifest.h"
#include "record.h"
#include "segment_run.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kFid = 7;

struct Kept {
  std::string key;
  std::uint64_t seq = 0;
  bool deleted = false;
  bool expires = false;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;

  friend bool operator==(const Kept&, const Kept&) = default;
};

StoreId SomeId() {
  StoreId id;
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<char>(i + 1);
  return id;
}

// A segment as a merge writes it.
struct MergedSegment {
  std::string bytes =
      EncodeSegmentHeader({.store_id = SomeId(), .fid = kFid, .kind = SegmentKind::kMerged});
  std::vector<Kept> entries;
  SegmentFacts facts;
  std::string hint;

  void Add(Kept kept, std::size_t value_size) {
    std::uint8_t tag = kept.deleted ? 2 : 1;
    if (kept.expires) tag |= kExpiryBit;
    kept.offset = bytes.size();
    bytes += EncodeRecord(kFid, kept.offset, tag, kept.seq, kept.key,
                          std::string(kept.deleted ? 0 : std::max<std::size_t>(value_size, 1), 1));
    kept.size = static_cast<std::uint32_t>(bytes.size() - kept.offset);
    entries.push_back(std::move(kept));
  }
  void Finish() {
    facts = {.fid = kFid,
             .kind = SegmentKind::kMerged,
             .length = bytes.size(),
             .crc = 0xdeadbeef,
             .min_seq = 1,
             .max_seq = std::uint64_t{1} << 40};
    OrderedHintBuilder builder;
    for (const Kept& e : entries) {
      builder.Add({e.key, e.seq, e.offset, e.size, e.deleted, e.expires});
    }
    ASSERT_TRUE(builder.Finish(SomeId(), facts));
    hint = builder.bytes();
  }
};

MergedSegment SomeSegment(std::size_t count, std::size_t value_size) {
  MergedSegment segment;
  std::mt19937_64 random(count);
  std::map<std::string, bool> keys;
  while (keys.size() < count) {
    keys[std::to_string(random() % 1'000'000) + std::string(random() % 20, 'k')] = true;
  }
  for (const auto& [key, any] : keys) {
    segment.Add({.key = key,
                 .seq = 1 + random() % (std::uint64_t{1} << (random() % 40)),
                 .deleted = random() % 5 == 0,
                 .expires = random() % 5 == 0},
                random() % (value_size + 1));
  }
  segment.Finish();
  return segment;
}

Hint::Parsed ParseCopy(const std::string& hint, const std::string& segment) {
  auto owner = std::make_shared<const std::pair<std::string, std::string>>(hint, segment);
  const std::string_view hint_view = owner->first;
  const std::string_view segment_view = owner->second;
  return Hint::Parse(hint_view, owner, segment_view);
}

std::vector<Kept> Rest(KeyRun& run) {
  std::vector<Kept> all;
  while (run.Next()) {
    const RunEntry& e = run.entry();
    all.push_back({std::string(e.key), e.seq, e.deleted, e.expires, e.offset, e.size});
  }
  return all;
}

// Whether anything is wrong with the two, told at once or when all is gone through.
bool IsRefused(const std::string& hint, const std::string& segment) {
  const Hint::Parsed parsed = ParseCopy(hint, segment);
  if (parsed.hint == nullptr) return true;
  const auto run = Hint::NewRun(parsed.hint);
  while (run->Next()) continue;
  return !run->status().ok();
}

TEST(OrderedHint, T16_GoldenBytes) {
  MergedSegment segment;
  segment.Add({.key = "ab", .seq = 300}, 10);
  segment.Add({.key = "abc", .seq = 1, .deleted = true}, 0);
  segment.Add({.key = "b", .seq = 2, .expires = true}, 3);
  segment.Finish();
  std::string hex;
  for (const char c : segment.hint) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  EXPECT_EQ(hex,
            "2c0000000300000014c6635e020000006162010000006277656972686e7400020000000200000001"
            "02030405060708090a0b0c0d0e0f1007000000000000006c00000000000000efbeadde53a91c4401"
            "00000000000000000000000001000003000000000000000100000000000000010000000000000"
            "02c0000000000000017000000000000000b0000000000000000000000bab4679b");
}

TEST(OrderedHint, GivesBackWhatIsInTheSegment) {
  for (const std::size_t count : {0U, 1U, 2U, 300U, 5000U}) {
    const MergedSegment segment = SomeSegment(count, 200);
    const auto [hint, error] = ParseCopy(segment.hint, segment.bytes);
    ASSERT_EQ(error, "");
    EXPECT_EQ(hint->entries(), count);
    EXPECT_EQ(hint->facts().length, segment.bytes.size());
    const auto run = Hint::NewRun(hint);
    EXPECT_EQ(Rest(*run), segment.entries);
    EXPECT_TRUE(run->status().ok()) << run->status().ToString();
    EXPECT_FALSE(run->Next());
    EXPECT_LT(segment.hint.size(), kHintFooterSize + 60 + segment.bytes.size() / 500);
  }
}

TEST(OrderedHint, SeeksToTheFirstKeyNotBelow) {
  const MergedSegment segment = SomeSegment(5000, 200);
  const auto hint = ParseCopy(segment.hint, segment.bytes).hint;
  ASSERT_GT(hint->blocks(), 5U);
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string key = segment.entries[random() % segment.entries.size()].key;
    if (i % 3 == 1) key.back() = static_cast<char>(key.back() + 1);
    if (i % 3 == 2) key.push_back('\0');
    const auto first = std::lower_bound(segment.entries.begin(), segment.entries.end(), key,
                                        [](const Kept& e, const auto& k) { return e.key < k; });
    const auto run = Hint::NewRun(hint);
    run->Seek(key);
    ASSERT_EQ(Rest(*run), std::vector<Kept>(first, segment.entries.end()));
  }
}

TEST(OrderedHint, H13_AnyChangedCutOrAddedByteIsSeen) {
  const MergedSegment segment = SomeSegment(1500, 200);
  const std::string& good = segment.hint;
  ASSERT_FALSE(IsRefused(good, segment.bytes));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(IsRefused(bytes, segment.bytes)) << at;
  }
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    ASSERT_TRUE(IsRefused(good.substr(0, cut), segment.bytes)) << cut;
    ASSERT_TRUE(IsRefused(good.substr(good.size() - cut), segment.bytes)) << cut;
  }
  EXPECT_TRUE(IsRefused(good + "x", segment.bytes));
  EXPECT_TRUE(IsRefused(good, segment.bytes.substr(0, segment.bytes.size() - 1)));
  EXPECT_TRUE(IsRefused(good, ""));
}

// A value that is damaged is found when it is read; a head or a key has to be found here.
TEST(OrderedHint, H13_AnyChangedByteOfAHeadOrKeyIsSeen) {
  const MergedSegment segment = SomeSegment(Scaled(400, 100), 20);
  for (const Kept& entry : segment.entries) {
    const std::size_t key_end =
        DecodeRecordHead(segment.bytes.substr(entry.offset), 1000)->head_size + entry.key.size();
    for (std::size_t at = 4; at < key_end; ++at) {
      std::string bytes = segment.bytes;
      char& byte = bytes[entry.offset + at];
      byte = static_cast<char>(byte ^ (1 << (at % 8)));
      ASSERT_TRUE(IsRefused(segment.hint, bytes)) << entry.offset << " + " << at;
    }
  }
}

// The threads of a start read a block each from where their part of the keys begins: a key that is
// damaged must not lead one past the rest of the block.
TEST(OrderedHint, H13_DamageIsSeenBeforeAnythingOfItsBlockIsBelieved) {
  const MergedSegment segment = SomeSegment(1500, 200);
  const auto whole = ParseCopy(segment.hint, segment.bytes).hint;
  ASSERT_GT(whole->blocks(), 2U);
  std::string bytes = segment.bytes;
  const Kept& damaged = segment.entries[10];
  const std::size_t key =
      damaged.offset + damaged.size - (damaged.deleted ? 0 : 1) - damaged.key.size();
  for (std::size_t at = damaged.offset + 5; at < key + 1; ++at) {
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const auto hint = ParseCopy(segment.hint, bytes).hint;
    ASSERT_NE(hint, nullptr);
    const auto run = Hint::NewRun(hint);
    run->Seek(segment.entries[5].key);
    EXPECT_FALSE(run->Next());
    EXPECT_EQ(run->status().code(), StatusCode::kDataLoss);
    bytes[at] = segment.bytes[at];
  }
}

TEST(OrderedHint, IsNotMadeOfRecordsThatAreNotAllThereIs) {
  const SegmentFacts facts{.fid = kFid, .kind = SegmentKind::kMerged, .length = 104};
  OrderedHintBuilder gap;
  gap.Add({.key = "a", .seq = 1, .offset = 64, .size = 20});
  gap.Add({.key = "b", .seq = 1, .offset = 85, .size = 19});
  EXPECT_FALSE(gap.Finish(SomeId(), facts));
  OrderedHintBuilder short_of_it;
  short_of_it.Add({.key = "a", .seq = 1, .offset = 64, .size = 20});
  EXPECT_FALSE(short_of_it.Finish(SomeId(), facts));
}

class OrderedHintOfStoreTest : public testing::Test {
 protected:
  OrderedHintOfStoreTest() { options_.segment_size = 1 << 20; }

  // Merged segments with values of this size.
  void MakeMerged(std::size_t value_size) {
    {
      auto store = MustOpen(kDirectory, options_);
      for (std::uint64_t i = 0; i < 3000; ++i) {
        const std::string key = "key" + std::to_string(10'000 + i * 7 % 3000);
        ASSERT_TRUE(store->Put(key, std::string(value_size, 'v')).ok());
        model_[key] = std::string(value_size, 'v');
      }
      ASSERT_TRUE(store->Merge().ok());
    }
    const auto manifest = ParseManifest(vfs_->Contents(kDirectory + "/MANIFEST")).state;
    id_ = manifest.store_id;
    for (const auto& [fid, live] : manifest.segments) {
      if (live.kind == SegmentKind::kMerged) merged_[fid] = live;
    }
    ASSERT_FALSE(merged_.empty());
  }
  std::string HintOf(std::uint64_t fid) { return vfs_->Contents(kDirectory + "/" + HintName(fid)); }

  QuietLog quiet_;
  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  Options options_ = InMemory(vfs_, SyncMode::kNone);
  Model model_;
  StoreId id_{};
  std::map<std::uint64_t, LiveSegment> merged_;
};

TEST_F(OrderedHintOfStoreTest, SmallRecordsAreNotRepeatedAndLargeOnesNotReadAtAStart) {
  MakeMerged(40);
  for (const auto& [fid, live] : merged_) {
    EXPECT_TRUE(Hint::IsOrdered(HintOf(fid)));
    EXPECT_LT(HintOf(fid).size(), 300 + live.length / 500);
  }
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);

  vfs_ = std::make_shared<FaultVfs>();
  options_.vfs = vfs_;
  merged_.clear();
  MakeMerged(1000);
  for (const auto& [fid, live] : merged_) {
    EXPECT_FALSE(Hint::IsOrdered(HintOf(fid)));
    EXPECT_LT(HintOf(fid).size(), live.length / 8);
  }
  EXPECT_EQ(Contents(*MustOpen(kDirectory, options_)), model_);
}

TEST_F(OrderedHintOfStoreTest, IsTheSameWhenItIsBuiltAgain) {
  MakeMerged(40);
  for (const auto& [fid, live] : merged_) {
    const std::string before = HintOf(fid);
    (void)vfs_->Remove(kDirectory + "/" + HintName(fid));
    ASSERT_TRUE(WriteHint(*vfs_, kDirectory, id_,
                          {.fid = fid, .kind = live.kind, .length = live.length, .crc = live.crc})
                    .ok());
    EXPECT_EQ(HintOf(fid), before);
  }
}

TEST_F(OrderedHintOfStoreTest, H1_ASegmentWithADamagedKeyIsRefusedAndOneWithADamagedValueIsNot) {
  MakeMerged(40);
  const std::uint64_t fid = merged_.begin()->first;
  const std::string path = kDirectory + "/" + SegmentName(fid);
  const std::string good = vfs_->Contents(path);
  const std::size_t key = good.find("key1", good.size() / 2);
  std::string bytes = good;
  bytes[key + 20] ^= 1;
  vfs_->SetContents(path, bytes);
  {
    auto store = MustOpen(kDirectory, options_);
    EXPECT_EQ(store->GetStats().keys, model_.size());
    EXPECT_EQ(store->Verify().code(), StatusCode::kDataLoss);
  }
  bytes = good;
  bytes[key + 6] ^= 1;
  vfs_->SetContents(path, bytes);
  const Status status = Store::Open(kDirectory, options_).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_THAT(std::string(status.message()), HasSubstr("offset"));
}

}  // namespace
}  // namespace weir::kv
