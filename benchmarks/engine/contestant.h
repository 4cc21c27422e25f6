// What bench-engine measures: an ordered key-value store in one directory, behind one interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::bench {

// What the command line may turn.
struct Tuning {
  std::uint64_t segment_size = 0;       // weir: bytes; 0: its default
  std::string read_path;                // weir: "mapped", "pread"; empty: its default
  std::uint64_t value_cache_bytes = 0;  // weir
  std::optional<std::uint64_t> merge_bytes_per_second;  // weir, of Pace::kBesideOthers
  std::size_t cache_bytes = 512U << 20;                 // RocksDB's block cache
};

// What a case asks of a store.
struct Setup {
  bool sync = false;            // true: a write is on disk before it is acknowledged
  bool automatic_merge = true;  // false: it merges only when told to, if it can be told
  bool rewrites_a_lot = false;  // true: files of a size that lets garbage be collected early
};

// How fast a merge goes.
enum class Pace : std::uint8_t {
  kAlone,         // as fast as it can
  kBesideOthers,  // as the store's defaults have it, for the sake of those who use it meanwhile
};

using KeyAndValue = std::pair<std::string_view, std::string_view>;

// Thread-safe but for Open, Close and Write of a batch. A failure ends the process, after a line on
// standard error.
class Contestant {
 public:
  virtual ~Contestant() = default;
  // Opens or creates.
  virtual void Open(const std::string& directory, const Setup& setup) = 0;
  virtual void Close() = 0;
  virtual void Put(std::string_view key, std::string_view value) = 0;
  virtual void Delete(std::string_view key) = 0;
  // False if there is no such key. `value` becomes a copy of the caller's own.
  virtual bool Get(std::string_view key, std::string* value) = 0;
  // All or nothing.
  virtual void Write(std::span<const KeyAndValue> batch) = 0;
  // Visits every key with its value in ascending order.
  virtual void Scan(const std::function<void(std::string_view, std::string_view)>& visit) = 0;
  // Rewrites all that is there without garbage, and returns when it is done. False: it knows no
  // such thing.
  virtual bool Merge(Pace pace) = 0;
  // Memory of its index alone, where it can tell.
  virtual std::optional<std::uint64_t> IndexBytes() { return std::nullopt; }
  // How the names of files end that only repeat, for a faster start, what others hold; may be
  // empty.
  virtual std::string_view hint_suffix() const { return {}; }
  // How the names of the files end that these repeat.
  virtual std::string_view data_suffix() const { return {}; }
  // True: it writes through a mapping, so that only written pages can be counted, not bytes.
  virtual bool writes_through_mapping() const { return false; }
};

// A contestant as the command line knows it.
struct Entry {
  std::string name;
  std::unique_ptr<Contestant> (*make)(const Tuning&);
  std::string absent;  // why it is not there; empty: it is
  bool (*takes_part)(std::string_view the_case);
};
// All there are, weir first; also those that this build could not have.
const std::vector<Entry>& Entries();

std::unique_ptr<Contestant> MakeWeir(const Tuning&);
// Null in a build without them.
std::unique_ptr<Contestant> MakeLevelDb(const Tuning&);
std::unique_ptr<Contestant> MakeRocksDb(const Tuning&);
std::unique_ptr<Contestant> MakeRocksDbWithBlobs(const Tuning&);
std::unique_ptr<Contestant> MakeLmdb(const Tuning&);
std::unique_ptr<Contestant> MakeLmdbWithWriteMap(const Tuning&);

// Ends this process after "error: <who>: <what>: <why>" on standard error.
[[noreturn]] void Die(const char* who, const char* what, const std::string& why);

}  // namespace weir::bench
