// Stands in for lmdb.cc where LMDB is not installed.
#include "engine/contestant.h"

namespace weir::bench {

std::unique_ptr<Contestant> MakeLmdb(const Tuning&) {
  return nullptr;
}

std::unique_ptr<Contestant> MakeLmdbWithWriteMap(const Tuning&) {
  return nullptr;
}

}  // namespace weir::bench
