// Stands in for rocksdb.cc where RocksDB is not installed.
#include "engine/contestant.h"

namespace weir::bench {

std::unique_ptr<Contestant> MakeRocksDb(const Tuning&) {
  return nullptr;
}

std::unique_ptr<Contestant> MakeRocksDbWithBlobs(const Tuning&) {
  return nullptr;
}

}  // namespace weir::bench
