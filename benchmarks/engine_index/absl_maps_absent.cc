#include "measured_map.h"

namespace weir::bench {

std::vector<Candidate> AbslCandidates() {
  return {};
}

}  // namespace weir::bench
