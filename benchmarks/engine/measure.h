// Clocks and scales: what a phase took, what a store occupies.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "histogram.h"

namespace weir::bench {

// What a timed phase took.
struct Timing {
  std::uint64_t operations = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of all threads of this process, those of the store too

  double PerSecond() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
};

// Runs `work(thread)`, which returns how many operations it did, on `threads` threads that begin
// together; on the caller's if it is one.
Timing Timed(unsigned threads, const std::function<std::uint64_t(unsigned thread)>& work);

// Calls `operation(i)` for i = 0, 1, ... and looks at the clock after every `stride` of them, until
// `seconds` are over. Returns how many there were.
template <class Operation>
std::uint64_t Repeat(double seconds, std::uint64_t stride, Operation operation) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
  std::uint64_t i = 0;
  do {
    for (const std::uint64_t next = i + stride; i < next; ++i) operation(i);
  } while (Clock::now() < end);
  return i;
}

// Calls `operation` and adds how long it took.
template <class Operation>
void AddLatency(Histogram& histogram, Operation operation) {
  const auto from = std::chrono::steady_clock::now();
  operation();
  histogram.Add(static_cast<std::uint64_t>((std::chrono::steady_clock::now() - from).count()));
}

// Waits until this process does nothing by itself any more: what a store does in the background
// (compactions, merges, hints) is done. A minute at most.
void Settle();

// Brings the files of `directory` into the page cache.
void Touch(const std::string& directory);
// Writes what the file system of `directory` still holds back, so that nobody pays for others.
void FlushFileSystem(const std::string& directory);

// What the files below `directory` take on the device; with a `suffix` only those whose names end
// so.
std::uint64_t DiskBytes(const std::string& directory, std::string_view suffix = {});

struct Memory {
  std::uint64_t anonymous = 0;  // bytes: heap and stacks
  std::uint64_t resident = 0;   // with files that are mapped
};
// Of this process, without what the allocator merely keeps.
Memory MemoryInUse();

struct Written {
  std::uint64_t by_calls = 0;  // bytes given to write() and its kin
  std::uint64_t to_pages = 0;  // whole pages that became dirty: counts writes to mappings
};
// By this process so far.
Written WrittenSoFar();

// A fresh directory, removed with all it holds by the destructor. A resource.
class Scratch {
 public:
  // In `parent`. On failure error() says why.
  explicit Scratch(const std::string& parent);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const noexcept { return path_; }
  const std::string& error() const noexcept { return error_; }

 private:
  std::string path_;
  std::string error_;
};

}  // namespace weir::bench
