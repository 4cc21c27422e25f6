// aperture(k=12,index=3,of=40): consumer number `index` of `of` sees a window of at least k
// providers; together the consumers see every provider equally often.
//
// The providers stand on a ring, by the hash of their addresses; the consumers stand on it at equal
// distances, and each takes the window that begins at its place. This is the deterministic aperture
// of Finagle (Twitter, "Deterministic Aperture: A Distributed, Load Balancing Algorithm", 2019),
// but in whole providers. The deterministic subsetting of "Site Reliability Engineering" (Google,
// 2016, chapter 20) is as even, but leaves out n mod k providers in each round, and a change of the
// list changes every consumer's subset.
//
// The windows begin at floor(index * n / of). Of numbers so spaced, any two windows of equal length
// hold equally many, give or take one: that many consumers see each provider, and exactly equally
// many if of * k is a multiple of n. A provider that comes or goes moves each window by one at
// most.
#include <algorithm>
#include <array>
#include <utility>

#include "decorators.h"

namespace weir {
namespace {

struct Options {
  std::uint64_t k;
  std::uint64_t index;
  std::uint64_t of;
};

Result<Options> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 3> kKeys = {"k", "index", "of"};
  constexpr std::int64_t kMostConsumers = 1'000'000;
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> k = parameters.Integer("k", 12, 1, 10'000);
  if (!k.ok()) return k.status();
  if (!parameters.Has("of")) return parameters.Refuse("of", "how many consumers there are");
  const Result<std::int64_t> of = parameters.Integer("of", 0, 1, kMostConsumers);
  if (!of.ok()) return of.status();
  if (!parameters.Has("index")) {
    return parameters.Refuse("index", "the number of this consumer, from 0 to of - 1");
  }
  const Result<std::int64_t> index = parameters.Integer("index", 0, 0, *of - 1);
  if (!index.ok()) return index.status();
  return Options{static_cast<std::uint64_t>(*k), static_cast<std::uint64_t>(*index),
                 static_cast<std::uint64_t>(*of)};
}

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

// Wide enough for k, and for all windows together to cover the ring.
std::uint64_t WidthOf(const Options& options, std::uint64_t n) noexcept {
  return std::min(n, std::max(options.k, (n + options.of - 1) / options.of));
}

std::vector<Index> Select(std::span<const Provider> providers, const Parameters& parameters,
                          const Consumer&) {
  const Options options = *Read(parameters);
  const std::uint64_t n = providers.size();
  std::vector<std::pair<std::uint64_t, Index>> ring;
  for (Index i = 0; i < n; ++i) ring.emplace_back(HashKey(providers[i].address), i);
  std::sort(ring.begin(), ring.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return providers[a.second].address < providers[b.second].address;
  });
  std::vector<Index> chosen;
  const std::uint64_t begin = options.index * n / options.of;
  for (std::uint64_t step = 0; n > 0 && step < WidthOf(options, n); ++step) {
    chosen.push_back(ring[(begin + step) % n].second);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

Decorator ApertureDecorator() noexcept {
  return {.select = Select, .check = Check};
}

}  // namespace weir
