// T15, H20: no bytes make the readers of records crash, allocate without reason or believe what is
// not there. The first byte says if the CRC is made right, so that more than it is tested.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "coding.h"
#include "record.h"
#include "segment_scanner.h"
#include "weir/kv/testing/in_memory_vfs.h"

using namespace weir::kv;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void ScanFile(std::string_view records) {
  InMemoryVfs vfs;
  vfs.SetContents("/file", std::string(kSegmentHeaderSize, 'h') + std::string(records));
  const auto file = *vfs.Open("/file", OpenMode::kRead);
  SegmentScanner scanner(*file, 1, kSegmentHeaderSize + records.size());
  auto step = scanner.Next();
  for (; step.ok() && *step == SegmentScanner::Step::kRecord; step = scanner.Next()) {
    Require(scanner.end() <= kSegmentHeaderSize + records.size());
    Require(scanner.key().size() == scanner.head().key_size);
  }
  Require(step.ok());
  if (*step == SegmentScanner::Step::kBad) {
    const auto behind = scanner.FindRecordBehind(scanner.offset(), 1);
    Require(behind.ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto head = DecodeRecordHead(bytes, bytes.size());
  if (head) {
    Require(head->size() <= bytes.size());
    if (data[0] % 2 == 1) {
      const std::string_view record = std::string_view(bytes).substr(0, head->size());
      StoreFixed(bytes.data(), RecordSeed(1, kSegmentHeaderSize).Extend(record.substr(4)).Value());
      Require(
          RecordIsIntact(std::string_view(bytes).substr(0, head->size()), 1, kSegmentHeaderSize));
    }
  }
  ScanFile(bytes);
  return 0;
}
