// H18: offsets beyond 4 GiB, on a sparse file.
#include "crc32c.h"
#include "engine_fixture.h"
#include "record.h"

namespace weir::kv {
namespace {

// Appends to `file` at `offset` the record of a value of kMaxValueSize zeroes; the zeroes are a
// hole.
std::uint64_t AppendHugeRecord(File& file, std::uint64_t offset, std::uint64_t seq,
                               std::string_view key) {
  std::string head(kMaxRecordHead, '\0');
  head.resize(EncodeRecordHead(head.data(), 1, seq, key.size(), kMaxValueSize));
  head.append(key);
  Crc32c crc = RecordSeed(1, offset);
  crc.Extend(std::string_view(head).substr(4));
  const std::string zeroes(1 << 20, '\0');
  for (std::size_t done = 0; done < kMaxValueSize; done += zeroes.size()) crc.Extend(zeroes);
  const std::uint32_t value = crc.Value();
  head.replace(0, 4, reinterpret_cast<const char*>(&value), 4);
  const std::string_view piece = head;
  EXPECT_TRUE(file.Write(offset, {&piece, 1}).ok());
  EXPECT_TRUE(file.Truncate(offset + head.size() + kMaxValueSize).ok());
  return offset + head.size() + kMaxValueSize;
}

TEST(LargeOffsets, H18_RecordsBeyond4GiBAreWrittenAndFound) {
  // In memory where that is possible: there a hole costs no pages when it is read.
  const bool in_memory = std::filesystem::is_directory("/dev/shm");
  const TempDirectory directory(in_memory ? "/dev/shm" : std::filesystem::temp_directory_path());
  const std::string path = directory.path() + "/store";
  Options options;
  options.segment_size = kMaxSegmentSize;
  MustOpen(path, options).reset();
  {
    auto file = PosixVfs()->Open(path + "/000001.data", OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok());
    std::uint64_t end = *(*file)->Size();
    for (std::uint64_t seq = 1; seq <= 4; ++seq) {
      end = AppendHugeRecord(**file, end, seq, "huge" + std::to_string(seq));
    }
    ASSERT_GT(end, std::uint64_t{1} << 32);
  }
  auto store = MustOpen(path, options);
  ASSERT_TRUE(store->Put("beyond", "4 GiB").ok());
  EXPECT_EQ(*store->Get("beyond"), "4 GiB");
  EXPECT_GT(store->GetStats().data_bytes, std::uint64_t{1} << 32);
  store.reset();
  store = MustOpen(path, options);
  EXPECT_EQ(*store->Get("beyond"), "4 GiB");
  EXPECT_EQ(store->GetStats().keys, 5U);
  // The close has sealed what is so large, and the second open has begun another.
  EXPECT_EQ(store->GetStats().segments, 2U);
}

}  // namespace
}  // namespace weir::kv
