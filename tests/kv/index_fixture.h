// What the tests of the index share: usage that can be looked at, random keys, a model.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "index.h"

namespace weir::kv {

class CountedUsage final : public SegmentUsage {
 public:
  void AddLive(std::uint32_t slot, std::int64_t bytes) override { live[slot] += bytes; }
  std::map<std::uint32_t, std::int64_t> live;
};

// What an index should hold.
using IndexModel = std::map<std::string, Location, std::less<>>;

inline std::uint64_t IndexTestSeed() {
  const char* text = std::getenv("WEIR_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

// Keys of many kinds: short, of one size, with long common prefixes, numbers, huge, empty.
class RandomKeys {
 public:
  explicit RandomKeys(std::mt19937_64& random) : random_(random) {}

  std::string Next() {
    switch (random_() % 16) {
      case 0:
        return std::string(random_() % 4, static_cast<char>('a' + random_() % 2));
      case 1:
        return std::string(300, 'p') + std::to_string(random_() % 200);
      case 2:
        return std::string(random_() % 3 == 0 ? 65536 : 3000, 'h') + Text(random_() % 3);
      case 3:
        return Text(random_() % 60);
      case 4:
      case 5:
      case 6: {
        std::string number = std::to_string(random_() % 3000);
        return std::string(16 - number.size(), '0') + number;
      }
      case 7: {
        std::string key = "user/";
        key += std::to_string(random_() % 50);
        key += std::string(random_() % 3, '\0');
        return key;
      }
      default: {
        std::string key(16, '\0');
        std::uint64_t number = (random_() % 4096) * 0x9e3779b97f4a7c15;
        for (int i = 0; i < 8; ++i, number >>= 8) key[i] = static_cast<char>(number);
        return key;
      }
    }
  }

 private:
  std::string Text(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + random_() % 3);
    return text;
  }
  std::mt19937_64& random_;
};

// `size` is what tells states of a key from each other.
inline Location RandomLocation(std::mt19937_64& random, std::uint32_t size) {
  Location location;
  const auto wide = random() % 8;
  location.slot = static_cast<std::uint32_t>(wide == 0 ? random() % (1u << 24) : random() % 3);
  location.offset = random() % (wide == 1 ? std::uint64_t{1} << 40 : 1 << 20);
  location.size = wide == 2 ? ~size : size;
  location.expires = random() % 16 == 0;
  return location;
}

// The keys of the model in the range, as Collect gives them.
inline std::vector<std::pair<std::string, Location>> Expected(const IndexModel& model,
                                                              const IndexRange& range,
                                                              std::size_t most) {
  std::vector<std::pair<std::string, Location>> expected;
  const auto begin =
      range.behind_start ? model.upper_bound(range.start) : model.lower_bound(range.start);
  const auto end = range.end.empty() ? model.end() : model.lower_bound(range.end);
  if (!range.end.empty() && range.start >= range.end) return expected;
  for (auto at = begin; at != end; ++at) expected.emplace_back(at->first, at->second);
  if (range.reverse) std::reverse(expected.begin(), expected.end());
  if (expected.size() > most) expected.resize(most);
  return expected;
}

// Counts up to 10^16, in 16 decimal digits.
inline std::string DecimalKey(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(16 - digits.size(), '0') + digits;
}

}  // namespace weir::kv
