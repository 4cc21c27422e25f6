// For stores that do not open any more, or that are not trusted: finding all damage, and saving
// what can be saved. Both look at a directory that nobody has open for writing, and change nothing
// in it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "weir/kv/vfs.h"
#include "weir/status.h"

namespace weir::kv {

// Bytes of a file that are not what they should be.
struct DamagedPlace {
  std::string file;  // its name in the directory
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // 0: the whole file, or not known
  std::string what;
};
// "000012.data: at offset 4711: 93 bytes: the record is damaged"
std::string ToString(const DamagedPlace& place);

struct VerifyOptions {
  std::shared_ptr<Vfs> vfs{};  // null: PosixVfs()
  // Told how many bytes of how many are done, now and then, on the calling thread.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

struct Verification {
  std::string store_id;  // empty if MANIFEST cannot be read
  std::uint64_t segments = 0;
  std::uint64_t records = 0;  // puts and deletes, also replaced ones
  std::uint64_t bytes = 0;    // of segments, read
  std::uint64_t hints = 0;    // that fit their segments
  std::uint64_t last_seq = 0;
  std::vector<DamagedPlace> damaged;  // none: the store opens, and all of it can be read
  // What is no damage: the torn end of a last write, files that a crash left, hints that are
  // ignored.
  std::vector<std::string> notes;
};
// Reads all of the store in `directory`: MANIFEST, every record of every segment, how the segments
// follow each other, hints.
Result<Verification> VerifyDirectory(const std::string& directory,
                                     const VerifyOptions& options = {});

struct RepairOptions {
  std::shared_ptr<Vfs> vfs{};  // null: PosixVfs()
  // False: the result is the same store, and takes the place of the damaged one. True: it is a new
  // store with an id of its own.
  bool new_id = false;
  std::uint64_t segment_size = 64 << 20;  // bytes, of the segments that are written
  std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
};

struct RepairReport {
  std::string store_id;  // of what was written
  std::uint64_t segments = 0;
  std::uint64_t records = 0;  // readable ones, also replaced ones
  std::uint64_t keys = 0;     // written
  std::uint64_t last_seq = 0;
  std::uint64_t lost_bytes = 0;       // in `damaged`, of segments
  std::vector<DamagedPlace> damaged;  // in the order of files and offsets
  std::vector<std::string> notes;     // what was left out for another reason
};
// Reads whatever can be read in `from`, with or without MANIFEST, and makes `to`, which must be
// absent or empty, a store with the newest readable record of every key. Records are believed only
// if their CRC, which covers their place, is right; behind a damaged place the next right one is
// looked for. Batches that are not whole are left out.
//
// What was in the damaged places is lost: a key whose newest record was there has its value from
// before, or comes back if that record deleted it. The change feed of the result begins behind all
// commits there were. Memory: all keys.
Result<RepairReport> Repair(const std::string& from, const std::string& to,
                            const RepairOptions& options = {});

}  // namespace weir::kv
