// Which segments can be read, how, and until when.
#include "segment_table.h"

#include <thread>

#include "engine_fixture.h"
#include "index.h"

namespace weir::kv {
namespace {

// A table over files in memory whose contents need not be records.
class SegmentTableTest : public ::testing::TestWithParam<ReadPath> {
 protected:
  SegmentTableTest() {
    EXPECT_TRUE(vfs_.CreateDirectory(kDirectory).ok());
    Options options;
    options.read_path = GetParam();
    options.max_open_files = 4;
    table_.emplace(vfs_, kDirectory, options, epochs_);
    index_.emplace(epochs_, *table_);
    snapshots_.emplace(*index_);
  }

  static std::string TextOf(std::uint64_t fid) {
    return "contents of " + std::to_string(fid) + std::string(64, '.');
  }
  std::shared_ptr<Segment> AddSealed(std::uint64_t fid) {
    const std::string text = TextOf(fid);
    vfs_.SetContents(table_->PathOf(fid), text);
    return table_->AddSealed({.fid = fid, .length = text.size()});
  }
  std::string ReadWhole(std::uint32_t slot, std::uint64_t fid) {
    const auto pin = epochs_.Enter();
    ReadBuffer buffer;
    std::string_view bytes;
    const Status status = table_->Read(
        {.slot = slot, .size = static_cast<std::uint32_t>(TextOf(fid).size())}, buffer, &bytes);
    return status.ok() ? std::string(bytes) : status.ToString();
  }
  bool HasFile(std::uint64_t fid) { return vfs_.Exists(table_->PathOf(fid)); }

  FaultVfs vfs_;
  Epochs epochs_;
  std::optional<SegmentTable> table_;
  std::optional<Index> index_;
  std::optional<Snapshots> snapshots_;
};

INSTANTIATE_TEST_SUITE_P(BothPaths, SegmentTableTest,
                         ::testing::Values(ReadPath::kMapped, ReadPath::kPread),
                         [](const auto& path) {
                           return path.param == ReadPath::kMapped ? "Mapped" : "Pread";
                         });

TEST_P(SegmentTableTest, ReadsTheActiveSegmentAndThenTheSameSealed) {
  vfs_.SetContents(table_->PathOf(1), TextOf(1));
  auto file = vfs_.Open(table_->PathOf(1), OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  const auto segment = table_->AddActive(1, *std::move(file));
  EXPECT_EQ(ReadWhole(segment->slot(), 1), TextOf(1));
  EXPECT_EQ(segment->mapped(), nullptr);
  table_->Seal({.fid = 1, .length = TextOf(1).size()});
  EXPECT_EQ(ReadWhole(segment->slot(), 1), TextOf(1));
  EXPECT_EQ(segment->mapped() != nullptr, GetParam() == ReadPath::kMapped);
  table_->Reclaim(*snapshots_);
  EXPECT_EQ(table_->open_files(), GetParam() == ReadPath::kMapped ? 0U : 1U);
}

TEST_P(SegmentTableTest, KeepsNoMoreFilesOpenThanAllowed) {
  std::vector<std::shared_ptr<Segment>> segments;
  for (std::uint64_t fid = 1; fid <= 20; ++fid) segments.push_back(AddSealed(fid));
  for (int round = 0; round < 3; ++round) {
    for (const auto& segment : segments) {
      EXPECT_EQ(ReadWhole(segment->slot(), segment->fid()), TextOf(segment->fid()));
    }
  }
  table_->Reclaim(*snapshots_);
  EXPECT_EQ(table_->open_files(), GetParam() == ReadPath::kMapped ? 0U : 4U);
}

TEST_P(SegmentTableTest, H22_RefusesToReadBeyondTheEndOfAFile) {
  const auto segment = AddSealed(1);
  vfs_.SetContents(table_->PathOf(1), TextOf(1).substr(0, 20));
  const std::string outcome = ReadWhole(segment->slot(), 1);
  EXPECT_NE(outcome.find("DATA_LOSS"), std::string::npos) << outcome;
  EXPECT_NE(outcome.find(table_->PathOf(1)), std::string::npos) << outcome;
}

TEST_P(SegmentTableTest, H24_KeepsADroppedSegmentForThoseWhoMayReadIt) {
  const auto slot_of = [&](std::uint64_t fid) { return AddSealed(fid)->slot(); };
  const auto reclaim = [&] {
    table_->Reclaim(*snapshots_);
    return table_->dropped();
  };
  // A reader who is pinned.
  std::uint32_t slot = slot_of(1);
  {
    std::optional<Epochs::Pin> pin(epochs_.Enter());
    EXPECT_EQ(ReadWhole(slot, 1), TextOf(1));
    table_->Drop(1, snapshots_->next_id());
    EXPECT_EQ(reclaim(), 1U);
    EXPECT_EQ(ReadWhole(slot, 1), TextOf(1));
    EXPECT_NE(slot_of(2), slot);
    EXPECT_EQ(ReadWhole(slot, 1), TextOf(1));
  }
  EXPECT_EQ(reclaim(), 0U);
  EXPECT_FALSE(HasFile(1));
  EXPECT_EQ(slot_of(3), slot);
  EXPECT_EQ(ReadWhole(slot, 3), TextOf(3));

  // A snapshot from before the drop; one from behind it does not count.
  const auto before = snapshots_->Acquire();
  table_->Drop(3, snapshots_->next_id());
  const auto behind = snapshots_->Acquire();
  EXPECT_EQ(reclaim(), 1U);
  EXPECT_EQ(ReadWhole(slot, 3), TextOf(3));
  snapshots_->Release(before.id);
  EXPECT_EQ(reclaim(), 0U);
  EXPECT_FALSE(HasFile(3));
  snapshots_->Release(behind.id);

  // Who has asked for it to be kept, and who holds it.
  slot = slot_of(4);
  {
    const auto pin = epochs_.Enter();
    table_->at(slot)->Keep();
  }
  auto held = table_->Find(4);
  table_->Drop(4, snapshots_->next_id());
  EXPECT_EQ(reclaim(), 1U);
  table_->at(slot)->Release();
  EXPECT_EQ(reclaim(), 1U);
  EXPECT_TRUE(HasFile(4));
  held.reset();
  EXPECT_EQ(reclaim(), 0U);
  EXPECT_FALSE(HasFile(4));
}

// Readers look a segment up and read it while others are dropped, reclaimed and their slots used
// again: what they read must be what they have looked up.
TEST_P(SegmentTableTest, H24_ReadersNeverSeeAnotherSegmentInTheirSlot) {
  constexpr std::uint64_t kLive = 8;
  std::array<std::atomic<std::uint64_t>, kLive> named{};  // (fid << 32 | slot), as an index would
  std::uint64_t next_fid = 1;
  const auto add = [&](std::uint64_t i) {
    const std::uint64_t fid = next_fid++;
    named[i] = fid << 32 | AddSealed(fid)->slot();
  };
  for (std::uint64_t i = 0; i < kLive; ++i) add(i);
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> reads = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      for (std::uint64_t i = 0; !stop; ++reads) {
        std::optional<Epochs::Pin> pin(epochs_.Enter());
        const std::uint64_t at = named[i % kLive];
        const std::string read = ReadWhole(static_cast<std::uint32_t>(at), at >> 32);
        if (read.starts_with("UNAVAILABLE")) {
          pin.reset();
          table_->MakeRoom();
          continue;
        }
        EXPECT_EQ(read, TextOf(at >> 32));
        ++i;
      }
    });
  }
  const std::uint64_t rounds = Scaled(3000, 500);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    const std::uint64_t old = named[i % kLive] >> 32;
    add(i % kLive);
    table_->Drop(old, snapshots_->next_id());
    do {
      table_->Reclaim(*snapshots_);
    } while (table_->dropped() > 100);
  }
  while (reads < rounds) std::this_thread::yield();
  stop = true;
  for (auto& reader : readers) reader.join();
  table_->Reclaim(*snapshots_);
  table_->Reclaim(*snapshots_);
  EXPECT_EQ(table_->dropped(), 0U);
  EXPECT_LT(table_->List().back()->slot(), 200U) << "slots are used again";
}

}  // namespace
}  // namespace weir::kv
