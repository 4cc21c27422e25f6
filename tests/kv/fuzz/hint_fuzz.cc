// T15, H13: no bytes make the reader of hints crash or read outside of them. The first byte says if
// all CRCs are made right, so that more than they is tested, and if the first half of the others is
// the segment that the hint is for.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "coding.h"
#include "crc32c.h"
#include "hint_file.h"

using namespace weir::kv;

namespace {

// Makes the CRCs of blocks, table and footer right, as far as the sizes in the bytes allow.
void MakeCrcsRight(std::string& bytes) {
  if (bytes.size() < kHintFooterSize) return;
  char* footer = bytes.data() + bytes.size() - kHintFooterSize;
  const std::uint64_t left = bytes.size() - kHintFooterSize;
  const auto block_bytes = LoadFixed<std::uint64_t>(footer + 96);
  const auto table_bytes = LoadFixed<std::uint64_t>(footer + 104);
  if (Hint::IsOrdered(bytes)) {
    StoreFixed(footer + 52, Crc32c().Extend(std::string_view(bytes).substr(0, left)).Value());
  } else if (block_bytes <= left && table_bytes == left - block_bytes) {
    std::uint64_t block = 0;
    for (std::uint64_t at = block_bytes; at + 16 <= left;) {
      const auto size = LoadFixed<std::uint32_t>(bytes.data() + at);
      if (size == 0 || size > block_bytes - block) break;
      StoreFixed(bytes.data() + at + 8,
                 Crc32c().Extend(std::string_view(bytes).substr(block, size)).Value());
      block += size;
      at += 16 + LoadFixed<std::uint32_t>(bytes.data() + at + 12);
    }
    const auto table = std::string_view(bytes).substr(block_bytes, table_bytes);
    StoreFixed(footer + 52, Crc32c().Extend(table).Value());
  }
  StoreFixed(footer + 124, Crc32c().Extend(std::string_view(footer, 124)).Value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = (data[0] & 2U) != 0 ? input.size() / 2 : 0;
  const auto segment = std::make_shared<std::string>(input.substr(0, cut));
  const auto bytes = std::make_shared<std::string>(input.substr(cut));
  if (data[0] % 2 == 1) MakeCrcsRight(*bytes);
  const auto parsed = Hint::Parse(*bytes, bytes, *segment);
  if (parsed.hint == nullptr) {
    if (parsed.error.empty()) std::abort();
    return 0;
  }
  const auto run = Hint::NewRun(parsed.hint);
  std::string last;
  for (bool first = true; run->Next(); first = false) {
    const RunEntry& entry = run->entry();
    if (!first && entry.key <= last) std::abort();
    last = entry.key;
    if (entry.offset + entry.size > parsed.hint->facts().length) std::abort();
  }
  return 0;
}
