#include "hint_file.h"

namespace weir::kv {

std::string HintName(std::uint64_t fid) {
  std::string name = SegmentName(fid);
  return name.substr(0, name.size() - 4) + "hint";
}

}  // namespace weir::kv
