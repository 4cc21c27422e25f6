// T15: no bytes make the reader of MANIFEST crash or believe what is not there. The first byte says
// if the rest is a whole file or the edits of one frame whose CRC is right.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "coding.h"
#include "crc32c.h"
#include "manifest.h"

using namespace weir::kv;

namespace {

std::string FrameOf(std::uint64_t offset, std::string_view edits) {
  std::string frame(8, '\0');
  StoreFixed(frame.data() + 4, static_cast<std::uint32_t>(edits.size()));
  frame.append(edits);
  StoreFixed(frame.data(),
             Crc32c().Extend(offset).Extend(std::string_view(frame).substr(4)).Value());
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string bytes(rest);
  if (data[0] % 2 == 1) {
    bytes = EncodeManifestHeader();
    ManifestEdit identity;
    identity.Identity(StoreId{}, 1, 2).NextFid(9).Add(1, SegmentKind::kLog);
    bytes += EncodeManifestFrame(bytes.size(), identity);
    bytes += FrameOf(bytes.size(), rest);
  }
  const ParsedManifest parsed = ParseManifest(bytes);
  if (parsed.error.empty() && parsed.length > bytes.size()) std::abort();
  return 0;
}
