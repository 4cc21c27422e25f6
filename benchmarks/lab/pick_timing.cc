#include "lab/pick_timing.h"

#include <chrono>

#include "lab/random.h"

namespace weir::lab {

double MeasurePick(const ConfiguredLoadBalance& balance, const Snapshot& snapshot,
                   std::span<const std::uint64_t> key_hashes) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRound = 256;
  constexpr auto kTime = std::chrono::milliseconds(1);
  Random random(1, 6);
  std::uint64_t words[kRound];
  for (std::uint64_t& word : words) word = random.Next();
  std::uint64_t picks = 0;
  std::uint64_t sum = 0;  // so that no pick is left out
  const Clock::time_point begin = Clock::now();
  Clock::duration taken{};
  do {
    for (const std::uint64_t word : words) {
      RequestView request;
      if (!key_hashes.empty()) {
        request.key_hash = key_hashes[word % key_hashes.size()];
        request.has_key = true;
      }
      sum += balance.Pick(request, snapshot,
                          {.sequence = picks++, .random = word, .now_ns = 2'000'000'000'000});
    }
    taken = Clock::now() - begin;
  } while (taken < kTime);
  return sum == 1
             ? 0
             : std::chrono::duration<double, std::nano>(taken).count() / static_cast<double>(picks);
}

}  // namespace weir::lab
