// Stands in for leveldb.cc where LevelDB is not installed.
#include "engine/contestant.h"

namespace weir::bench {

std::unique_ptr<Contestant> MakeLevelDb(const Tuning&) {
  return nullptr;
}

}  // namespace weir::bench
