// Hints: what they say is what their segment says, or they are not believed.
#include "hint_file.h"

#include <gmock/gmock.h>

#include <random>

#include "coding.h"
#include "crc32c.h"
#include "engine_fixture.h"
#include "manifest.h"
#include "segment_run.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

struct Kept {
  std::string key;
  std::uint64_t seq = 0;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  bool deleted = false;
  bool expires = false;

  friend bool operator==(const Kept&, const Kept&) = default;
  RunEntry entry() const { return {key, seq, offset, size, deleted, expires}; }
};

constexpr std::uint64_t kLength = std::uint64_t{1} << 39;

SegmentFacts SomeFacts() {
  return {.fid = 7,
          .kind = SegmentKind::kMerged,
          .length = kLength,
          .crc = 0xdeadbeef,
          .min_seq = 1,
          .max_seq = std::uint64_t{1} << 40};
}

StoreId SomeId() {
  StoreId id;
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<char>(i + 1);
  return id;
}

std::vector<Kept> SomeEntries(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::map<std::string, Kept> entries;
  while (entries.size() < count) {
    Kept kept;
    switch (random() % 4) {
      case 0:
        kept.key = "user/" + std::to_string(random() % 100000);
        break;
      case 1:
        kept.key = std::string(random() % 40, static_cast<char>('a' + random() % 3));
        break;
      case 2:
        for (std::uint64_t i = random() % 30; i > 0; --i) {
          kept.key.push_back(static_cast<char>(random()));
        }
        break;
      default:
        kept.key = std::string(200 + random() % 600, 'k') + std::to_string(random() % 1000);
    }
    kept.seq = 1 + random() % (std::uint64_t{1} << (random() % 40));
    kept.size = static_cast<std::uint32_t>(8 + random() % (1U << (random() % 30)));
    kept.offset = 64 + random() % (std::uint64_t{1} << (random() % 38));
    kept.deleted = random() % 5 == 0;
    kept.expires = random() % 5 == 0;
    entries[kept.key] = kept;
  }
  std::vector<Kept> sorted;
  for (auto& [key, kept] : entries) sorted.push_back(std::move(kept));
  return sorted;
}

std::string Encode(const std::vector<Kept>& entries, const SegmentFacts& facts = SomeFacts()) {
  HintBuilder builder;
  for (const Kept& kept : entries) builder.Add(kept.entry());
  builder.Finish(SomeId(), facts);
  return builder.bytes();
}

Hint::Parsed ParseCopy(const std::string& bytes) {
  auto owner = std::make_shared<const std::string>(bytes);
  const std::string_view view = *owner;
  return Hint::Parse(view, owner);
}

std::vector<Kept> Rest(KeyRun& run) {
  std::vector<Kept> all;
  while (run.Next()) {
    const RunEntry& e = run.entry();
    all.push_back({std::string(e.key), e.seq, e.offset, e.size, e.deleted, e.expires});
  }
  return all;
}

TEST(HintFormat, T16_GoldenBytes) {
  const std::string bytes = Encode({{"ab", 300, 64, 20, false, false},
                                    {"abc", 1, 70000, 200, true, false},
                                    {"b", 2, 90, 9, false, true}});
  std::string hex;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  EXPECT_EQ(hex,
            "040002142c01406162410201c801017011016302000109025a621a000000030000003ba17fe00200"
            "00006162010000006277656972686e740001000000020000000102030405060708090a0b0c0d0e0f"
            "1007000000000000000000000080000000efbeadde14736ab0010000000000000000000000000100"
            "000300000000000000010000000000000001000000000000001a0000000000000017000000000000"
            "00c80000000000000000000000ad1f362a");
}

TEST(HintFormat, GivesBackWhatWasPutIntoIt) {
  for (const std::size_t count : {0U, 1U, 2U, 100U, 20000U}) {
    const std::vector<Kept> entries =
        SomeEntries(std::min<std::size_t>(count, Scaled(20000, 4000)), count);
    const auto [hint, error] = ParseCopy(Encode(entries));
    ASSERT_EQ(error, "");
    EXPECT_EQ(hint->store_id(), SomeId());
    EXPECT_EQ(hint->facts().fid, 7U);
    EXPECT_EQ(hint->facts().kind, SegmentKind::kMerged);
    EXPECT_EQ(hint->facts().length, kLength);
    EXPECT_EQ(hint->facts().max_seq, std::uint64_t{1} << 40);
    EXPECT_EQ(hint->entries(), entries.size());
    const auto run = Hint::NewRun(hint);
    EXPECT_EQ(Rest(*run), entries);
    EXPECT_TRUE(run->status().ok()) << run->status().ToString();
    EXPECT_FALSE(run->Next());
  }
}

TEST(HintFormat, HoldsTheLargestKeys) {
  const std::vector<Kept> entries = {{"", 1, 64, 8, false, false},
                                     {std::string(kMaxKeySize - 1, 'k'), 2, 72, 8, false, false},
                                     {std::string(kMaxKeySize, 'k'), 3, 80, 8, true, true}};
  const auto [hint, error] = ParseCopy(Encode(entries));
  ASSERT_EQ(error, "");
  EXPECT_EQ(Rest(*Hint::NewRun(hint)), entries);
}

TEST(HintFormat, SeeksToTheFirstKeyNotBelow) {
  const std::vector<Kept> entries = SomeEntries(3000, 9);
  const auto hint = ParseCopy(Encode(entries)).hint;
  ASSERT_GT(hint->blocks(), 10U);
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) {
    std::string key = entries[random() % entries.size()].key;
    if (i % 3 == 1 && !key.empty()) key.back() = static_cast<char>(key.back() + 1);
    if (i % 3 == 2) key.push_back('\0');
    const auto first = std::lower_bound(entries.begin(), entries.end(), key,
                                        [](const Kept& e, const auto& k) { return e.key < k; });
    const auto run = Hint::NewRun(hint);
    run->Seek(key);
    ASSERT_EQ(Rest(*run), std::vector<Kept>(first, entries.end()));
  }
}

TEST(HintFormat, H13_AnyChangedCutOrAddedByteIsSeen) {
  const std::string good = Encode(SomeEntries(300, 4));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    ASSERT_NE(ParseCopy(bytes).error, "") << at;
  }
  for (std::size_t cut = 0; cut < good.size(); cut += 3) {
    ASSERT_NE(ParseCopy(good.substr(0, cut)).error, "") << cut;
    ASSERT_NE(ParseCopy(good.substr(good.size() - cut)).error, "") << cut;
  }
  EXPECT_NE(ParseCopy(good + "x").error, "");
  EXPECT_NE(ParseCopy(std::string(4096, '\0')).error, "");
}

// Damage that the CRCs vouch for: a bug, or somebody's intent.
TEST(HintFormat, H13_EntriesThatNoSegmentCanHaveEndTheRun) {
  const Kept good{"m", 5, 64, 20, false, false};
  const SegmentFacts facts{.fid = 7, .length = 1000, .crc = 1, .min_seq = 5, .max_seq = 9};
  const auto status_of = [&](const std::vector<Kept>& entries) {
    const auto [hint, error] = ParseCopy(Encode(entries, facts));
    return error;
  };
  EXPECT_EQ(status_of({good}), "");
  for (const Kept& bad :
       {Kept{"m", 4, 64, 20}, Kept{"m", 10, 64, 20}, Kept{"m", 5, 63, 20}, Kept{"m", 5, 981, 20},
        Kept{"m", 5, 1001, 20}, Kept{"m", 5, 64, 7}, Kept{"m", 5, ~std::uint64_t{0}, 20},
        Kept{"m", 5, 64, 0xffffffff}, Kept{std::string(kMaxKeySize + 1, 'k'), 5, 64, 20}}) {
    EXPECT_NE(status_of({bad}), "") << bad.seq << " " << bad.offset << " " << bad.size;
  }
  EXPECT_NE(status_of({good, good}), "");
  EXPECT_NE(status_of({good, Kept{"a", 5, 64, 20}}), "");
}

TEST(HintFormat, H20_RandomBlocksUnderRightCrcsNeitherCrashNorLoop) {
  std::mt19937_64 random(8);
  for (int round = 0; round < static_cast<int>(Scaled(20000, 2000)); ++round) {
    // One block of noise; table and footer rebuilt around it.
    std::string bytes = Encode({{"k", 5, 64, 20, false, false}});
    const std::size_t old_block = LoadFixed<std::uint64_t>(bytes.data() + bytes.size() - 32);
    std::string table = bytes.substr(old_block, bytes.size() - old_block - kHintFooterSize);
    std::string footer = bytes.substr(bytes.size() - kHintFooterSize);
    std::string block = Encode(SomeEntries(3, random())).substr(0, random() % 60);
    for (int i = 0; i < 2 && !block.empty(); ++i) {
      block[random() % block.size()] = static_cast<char>(random());
    }
    const auto entries = static_cast<std::uint32_t>(1 + random() % 4);
    StoreFixed(table.data(), static_cast<std::uint32_t>(block.size()));
    StoreFixed(table.data() + 4, entries);
    StoreFixed(table.data() + 8, Crc32c().Extend(block).Value());
    StoreFixed(footer.data() + 52, Crc32c().Extend(table).Value());
    StoreFixed(footer.data() + 72, std::uint64_t{entries});
    StoreFixed(footer.data() + 96, std::uint64_t{block.size()});
    StoreFixed(footer.data() + 124,
               Crc32c().Extend(std::string_view(footer).substr(0, 124)).Value());
    const auto [hint, error] = ParseCopy(block + table + footer);
    if (hint == nullptr) continue;
    std::string previous;
    const auto run = Hint::NewRun(hint);
    for (bool first = true; run->Next(); first = false) {
      ASSERT_TRUE(first || run->entry().key > previous);
      ASSERT_LE(run->entry().offset + run->entry().size, kLength);
      previous = run->entry().key;
    }
  }
}

// A store with sealed segments, batches and deletions.
class HintOfStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options = InMemory(vfs_);
    options.segment_size = 16 * 1024;
    options.merge.automatic = false;
    auto store = MustOpen(kDirectory, options);
    std::mt19937_64 random(2);
    for (int i = 0; i < 700; ++i) {
      WriteBatch batch;
      for (std::uint64_t n = random() % 3; n < 3; ++n) {
        const std::string key = "key" + std::to_string(random() % 400);
        if (random() % 5 == 0) {
          batch.Delete(key);
        } else {
          batch.Put(key, std::string(random() % 80, 'v'));
        }
      }
      ASSERT_TRUE(store->Write(batch).ok());
    }
    store.reset();
    manifest_ = ParseManifest(vfs_->Contents(kDirectory + "/MANIFEST")).state;
    for (const auto& [fid, live] : manifest_.segments) {
      if (!live.sealed) continue;
      (void)vfs_->Remove(kDirectory + "/" + HintName(fid));
      sealed_.push_back({.fid = fid, .kind = live.kind, .length = live.length, .crc = live.crc});
    }
    ASSERT_GE(sealed_.size(), 3U);
  }

  std::vector<Kept> Read(const SegmentFacts& facts) {
    auto run = OpenRun(*vfs_, kDirectory, manifest_.store_id, facts);
    EXPECT_TRUE(run.ok()) << run.status().ToString();
    if (!run.ok()) return {};
    auto all = Rest(**run);
    EXPECT_TRUE((*run)->status().ok());
    return all;
  }
  Status HintStatus(std::uint64_t fid, const StoreId& id, const LiveSegment& live) {
    return OpenHint(*vfs_, kDirectory, id, fid, live).status();
  }

  std::shared_ptr<FaultVfs> vfs_ = std::make_shared<FaultVfs>();
  ManifestState manifest_;
  std::vector<SegmentFacts> sealed_;
};

TEST_F(HintOfStoreTest, SaysTheSameAsItsSegment) {
  for (const SegmentFacts& facts : sealed_) {
    const std::vector<Kept> scanned = Read(facts);
    EXPECT_GT(scanned.size(), 50U);
    ASSERT_TRUE(WriteHint(*vfs_, kDirectory, manifest_.store_id, facts).ok());
    const auto hint = OpenHint(*vfs_, kDirectory, manifest_.store_id, facts.fid,
                               manifest_.segments.at(facts.fid));
    ASSERT_TRUE(hint.ok()) << hint.status().ToString();
    EXPECT_GE((*hint)->facts().max_seq, (*hint)->facts().min_seq);
    EXPECT_EQ(Rest(*Hint::NewRun(*hint)), scanned);
    EXPECT_EQ(Read(facts), scanned);
    EXPECT_FALSE(vfs_->Exists(kDirectory + "/" + HintName(facts.fid) + ".tmp"));
  }
}

TEST_F(HintOfStoreTest, H13_IsNotBelievedIfAnyFieldDiffersFromItsSegments) {
  const SegmentFacts& facts = sealed_[1];
  const LiveSegment live = manifest_.segments.at(facts.fid);
  EXPECT_EQ(HintStatus(facts.fid, manifest_.store_id, live).code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteHint(*vfs_, kDirectory, manifest_.store_id, facts).ok());
  EXPECT_TRUE(HintStatus(facts.fid, manifest_.store_id, live).ok());
  LiveSegment other = live;
  other.length += 1;
  EXPECT_THAT(std::string(HintStatus(facts.fid, manifest_.store_id, other).message()),
              HasSubstr("bytes"));
  other = live;
  other.crc ^= 1;
  EXPECT_EQ(HintStatus(facts.fid, manifest_.store_id, other).code(), StatusCode::kDataLoss);
  other = live;
  other.kind = SegmentKind::kMerged;
  EXPECT_EQ(HintStatus(facts.fid, manifest_.store_id, other).code(), StatusCode::kDataLoss);
  EXPECT_THAT(std::string(HintStatus(facts.fid, SomeId(), live).message()),
              HasSubstr("belongs to store"));
  vfs_->SetContents(kDirectory + "/" + HintName(sealed_[0].fid),
                    vfs_->Contents(kDirectory + "/" + HintName(facts.fid)));
  EXPECT_THAT(std::string(HintStatus(sealed_[0].fid, manifest_.store_id, live).message()),
              HasSubstr(SegmentName(facts.fid)));
}

TEST_F(HintOfStoreTest, ADamagedSegmentGetsNoHint) {
  const SegmentFacts& facts = sealed_[0];
  const std::string path = kDirectory + "/" + SegmentName(facts.fid);
  std::string damaged = vfs_->Contents(path);
  damaged[damaged.size() / 2] ^= 1;
  vfs_->SetContents(path, damaged);
  EXPECT_EQ(WriteHint(*vfs_, kDirectory, manifest_.store_id, facts).code(), StatusCode::kDataLoss);
  EXPECT_FALSE(vfs_->Exists(kDirectory + "/" + HintName(facts.fid)));
  EXPECT_FALSE(OpenRun(*vfs_, kDirectory, manifest_.store_id, facts).ok());
}

TEST_F(HintOfStoreTest, AFailureOrCrashWhileItIsWrittenLeavesNoneOrAWholeOne) {
  const QuietLog quiet;
  const SegmentFacts& facts = sealed_[0];
  const LiveSegment live = manifest_.segments.at(facts.fid);
  for (const auto durability : {Durability::kLater, Durability::kNow}) {
    for (std::uint64_t n = 0;; ++n) {
      std::shared_ptr<FaultVfs> image = vfs_->Clone();
      const Fault fault{StatusCode::kInternal, 0.5};
      const std::uint64_t first = image->calls();
      image->SetPlan([&](std::uint64_t number, Call, const std::string&) {
        return number == first + n ? &fault : nullptr;
      });
      const Status status = WriteHint(*image, kDirectory, manifest_.store_id, facts, durability);
      const bool reached = image->calls() > first + n;
      const auto hint = OpenHint(*image, kDirectory, manifest_.store_id, facts.fid, live);
      EXPECT_TRUE(hint.ok() || hint.status().code() == StatusCode::kNotFound);
      if (!reached) {
        EXPECT_TRUE(status.ok() && hint.ok());
        std::mt19937_64 random(n);
        image = image->CrashImage(FaultVfs::Unsynced::kDropped, random);
        const auto kept = OpenHint(*image, kDirectory, manifest_.store_id, facts.fid, live);
        EXPECT_EQ(kept.ok(), durability == Durability::kNow);
        break;
      }
      EXPECT_FALSE(status.ok());
    }
  }
}

}  // namespace
}  // namespace weir::kv
