// The list of contestants.
#include <unistd.h>

#include <cstdio>

#include "engine/contestant.h"

namespace weir::bench {
namespace {

bool Always(std::string_view) {
  return true;
}
bool WithLargeValues(std::string_view the_case) {
  return the_case.ends_with("_4k");
}
// LMDB's default is what it does about durability; its write map is for going without.
bool WithoutSync(std::string_view the_case) {
  return !the_case.starts_with("sync_");
}

}  // namespace

const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {"weir", MakeWeir, "", Always},
      {"leveldb", MakeLevelDb, WEIR_BENCH_LEVELDB_ABSENT, Always},
      {"rocksdb", MakeRocksDb, WEIR_BENCH_ROCKSDB_ABSENT, Always},
      {"rocksdb_blob", MakeRocksDbWithBlobs, WEIR_BENCH_ROCKSDB_ABSENT, WithLargeValues},
      {"lmdb", MakeLmdb, WEIR_BENCH_LMDB_ABSENT, Always},
      {"lmdb_map", MakeLmdbWithWriteMap, WEIR_BENCH_LMDB_ABSENT, WithoutSync},
  };
  return entries;
}

void Die(const char* who, const char* what, const std::string& why) {
  std::fprintf(stderr, "error: %s: %s: %s\n", who, what, why.c_str());
  std::fflush(nullptr);
  _exit(1);
}

}  // namespace weir::bench
