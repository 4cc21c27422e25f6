// bench-index: time and memory per key of the engine's index and of other ordered maps, with keys
// of 16 bytes whose records of 128 bytes lie one after the other. Every order of keys in a process
// of its own; of several runs the median.
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/records.h"
#include "harness/measured_child.h"
#include "measured_map.h"

namespace weir::bench {
namespace {

constexpr std::uint32_t kRecordBytes = 128;

std::uint64_t ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long long total = 0;
  unsigned long long resident = 0;
  if (file == nullptr || std::fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

kv::Location PlaceOf(std::uint64_t i) {
  kv::Location location;
  location.size = kRecordBytes;
  location.offset = 64 + i * kRecordBytes;
  return location;
}

// Processor time of this thread: what else runs on the machine disturbs the caches only.
double CpuNanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double NanosecondsPer(std::uint64_t operations, const std::function<void()>& work) {
  const double from = CpuNanoseconds();
  work();
  return (CpuNanoseconds() - from) / static_cast<double>(operations);
}

Key BinaryKey(std::uint64_t i) {
  Key key = Key::Sequential(0);
  char bytes[kKeyBytes] = {};
  for (std::size_t at = kKeyBytes; at > 8; i >>= 8) bytes[--at] = static_cast<char>(i);
  std::memcpy(static_cast<void*>(&key), bytes, kKeyBytes);
  return key;
}

std::vector<Key> Keys(std::uint64_t count, const std::function<Key(std::uint64_t)>& key_of) {
  std::vector<Key> keys;
  keys.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) keys.push_back(key_of(i));
  return keys;
}

void MeasureReads(const MeasuredMap& map, const std::vector<Key>& keys, Figures& figures) {
  const std::uint64_t count = keys.size();
  const auto find_all = [&](std::uint64_t from) {
    kv::Location location;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!map.Find(keys[Mix(i + from) % count], location)) std::abort();
    }
  };
  figures["find_ns"] = NanosecondsPer(count, [&] { find_all(0); });
  double other_ns = 0;
  std::thread other([&] { other_ns = NanosecondsPer(count, [&] { find_all(7 * count); }); });
  const double this_ns = NanosecondsPer(count, [&] { find_all(3 * count); });
  other.join();
  figures["2_threads_x"] = 2 * figures["find_ns"] / std::max(this_ns, other_ns);
  figures["missing_ns"] = NanosecondsPer(count, [&] {
    kv::Location location;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (map.Find(Key::Random(i + (std::uint64_t{1} << 40)), location)) std::abort();
    }
  });
  std::uint64_t sum = 0;
  std::uint64_t seen = 0;
  figures["scan_ns"] = NanosecondsPer(count, [&] { seen = map.Scan(sum); });
  if (seen != count || sum == 0) std::abort();
}

void MeasureRandom(const Candidate& candidate, std::uint64_t count, Figures& figures) {
  const std::vector<Key> keys = Keys(count, Key::Random);
  const std::uint64_t before = ResidentBytes();
  const auto map = candidate.make();
  figures["insert_ns"] = NanosecondsPer(count, [&] {
    for (std::uint64_t i = 0; i < count; ++i) map->Put(keys[i], PlaceOf(i));
  });
  figures["random_B"] = static_cast<double>(ResidentBytes() - before) / static_cast<double>(count);
  MeasureReads(*map, keys, figures);
  figures["overwrite_ns"] = NanosecondsPer(count, [&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      map->Put(keys[Mix(i) % count], PlaceOf(count + i));
    }
  });
  figures["overwritten_B"] =
      static_cast<double>(ResidentBytes() - before) / static_cast<double>(count);
  figures["delete_ns"] = NanosecondsPer(count, [&] {
    for (const Key& key : keys) map->Erase(key);
  });
}

void MeasureBatches(const Candidate& candidate, std::uint64_t count, Figures& figures) {
  constexpr std::uint64_t kBatch = 100;
  const std::vector<Key> keys = Keys(count, Key::Random);
  const auto map = candidate.make();
  std::vector<Entry> batch;
  figures["batch_ns"] = NanosecondsPer(count, [&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      batch.emplace_back(keys[i], PlaceOf(i));
      if (batch.size() < kBatch && i + 1 < count) continue;
      map->PutBatch(batch);
      batch.clear();
    }
  });
}

void MeasureLoad(const Candidate& candidate, std::uint64_t count, Figures& figures) {
  const std::vector<Key> keys = Keys(count, Key::Random);
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) entries.emplace_back(keys[i], PlaceOf(i));
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.first < b.first; });
  const std::uint64_t before = ResidentBytes();
  const auto map = candidate.make();
  figures["load_ns"] = NanosecondsPer(count, [&] { map->Load(entries); });
  figures["loaded_B"] = static_cast<double>(ResidentBytes() - before) / static_cast<double>(count);
}

void MeasureSequential(const Candidate& candidate, const std::string& kind,
                       const std::function<Key(std::uint64_t)>& key_of, std::uint64_t count,
                       Figures& figures) {
  const std::vector<Key> keys = Keys(count, key_of);
  const std::uint64_t before = ResidentBytes();
  const auto map = candidate.make();
  figures[kind + "_ns"] = NanosecondsPer(count, [&] {
    for (std::uint64_t i = 0; i < count; ++i) map->Put(keys[i], PlaceOf(i));
  });
  figures[kind + "_B"] = static_cast<double>(ResidentBytes() - before) / static_cast<double>(count);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The columns, in the order in which they are shown.
constexpr const char* kColumns[] = {"insert_ns",  "random_B",  "overwrite_ns",  "overwritten_B",
                                    "delete_ns",  "batch_ns",  "find_ns",       "2_threads_x",
                                    "missing_ns", "scan_ns",   "load_ns",       "loaded_B",
                                    "decimal_ns", "decimal_B", "big-endian_ns", "big-endian_B"};

int Run(std::uint64_t count, int runs, const std::string& only) {
  const std::vector<Candidate> candidates = Candidates();
  std::map<std::string, std::map<std::string, std::vector<double>>> results;
  for (int run = 0; run < runs; ++run) {
    for (const Candidate& candidate : candidates) {
      if (!only.empty() && candidate.name.find(only) == std::string::npos) continue;
      const std::function<void(Figures&)> measures[] = {
          [&](Figures& figures) { MeasureRandom(candidate, count, figures); },
          [&](Figures& figures) { MeasureBatches(candidate, count, figures); },
          [&](Figures& figures) { MeasureLoad(candidate, count, figures); },
          [&](Figures& figures) {
            MeasureSequential(candidate, "decimal", Key::Sequential, count, figures);
          },
          [&](Figures& figures) {
            MeasureSequential(candidate, "big-endian", BinaryKey, count, figures);
          }};
      for (const auto& measure : measures) {
        const auto figures = MeasureInChild(measure);
        if (!figures || Interrupted()) return 1;
        for (const auto& [name, value] : *figures) results[candidate.name][name].push_back(value);
      }
    }
  }
  std::printf("%llu keys of %zu bytes, median of %d\n%-16s", static_cast<unsigned long long>(count),
              kKeyBytes, runs, "");
  for (const Candidate& candidate : candidates) {
    if (results.contains(candidate.name)) std::printf(" %26s", candidate.name.c_str());
  }
  std::printf("\n");
  for (const char* column : kColumns) {
    std::printf("%-16s", column);
    for (const Candidate& candidate : candidates) {
      if (!results.contains(candidate.name)) continue;
      std::printf(" %26.1f", Median(results[candidate.name][column]));
    }
    std::printf("\n");
  }
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  std::uint64_t count = 1'000'000;
  int runs = 3;
  std::string only;
  CLI::App app("Time and memory per key of the engine's index and of other ordered maps.");
  app.add_option("--keys", count, "How many keys")->capture_default_str();
  app.add_option("--runs", runs, "Runs; the median counts")->capture_default_str();
  app.add_option("--only", only, "Only candidates whose name has this in it");
  CLI11_PARSE(app, argc, argv);
  return weir::bench::Run(count, runs, only);
}
