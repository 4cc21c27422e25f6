// Provider lists to measure with: addresses of a small data centre, calls in flight, answers behind
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/load_balance.h"

namespace weir::bench {

// Weights 1 to 10 in turn, or all the same; sorted by address, as a registry hands a list out.
std::vector<Provider> ProvidersOf(std::int64_t count, bool equal_weights);

// A strategy over a list, and what its channel would know. Any number of threads may pick; each
// counts in a cell of its own.
struct Fleet {
  Fleet(const std::string& text, std::int64_t count, bool equal_weights, std::uint32_t cells);

  ConfiguredLoadBalance strategy;
  Snapshot snapshot;
};

// The one of its kind in this process, made when it is first asked for.
const Fleet& FleetOf(const std::string& text, std::int64_t count, bool equal_weights,
                     std::uint32_t cells);

// A strategy's row: its name in the report, and its text.
struct Row {
  std::string name;
  std::string text;
  bool equal_weights;
};

// Every strategy of the table with its defaults, and variants of some.
const std::vector<Row>& Rows();

inline constexpr std::int64_t kNow = 1'000'000'000'000;

// Random words made in advance; small enough to leave the first-level cache to what is measured.
class Words {
 public:
  Words();
  std::uint64_t operator[](std::uint64_t call) const { return words_[call % kCount]; }

 private:
  static constexpr std::size_t kCount = 1024;
  std::uint64_t words_[kCount];
};

void RegisterPicks();
void RegisterNaive();
void RegisterBuilds();

}  // namespace weir::bench
