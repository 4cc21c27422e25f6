// subset(k=20): every consumer sees k of the providers, others for each consumer, always the same
// for one.
//
// Rendezvous hashing of the consumer's random word with the addresses (Thaler, Ravishankar, "Using
// Name-Based Mappings to Increase Hit Rates", 1998): the k highest. A provider that comes or goes
// changes at most one of them, and a consumer's with probability k / n only. With consumers that
// choose at random some providers are seen by more of them than others; aperture is even.
#include <algorithm>
#include <array>
#include <utility>

#include "arithmetic.h"
#include "decorators.h"

namespace weir {
namespace {

Result<std::int64_t> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 1> kKeys = {"k"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  return parameters.Integer("k", 20, 1, 10'000);
}

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::vector<Index> Select(std::span<const Provider> providers, const Parameters& parameters,
                          const Consumer& consumer) {
  const auto n = static_cast<Index>(providers.size());
  const Index k = std::min(n, static_cast<Index>(*Read(parameters)));
  // By score, then by address, whatever the order of the list.
  struct Scored {
    std::uint64_t score;
    Index i;
  };
  std::vector<Scored> scored(n);
  for (Index i = 0; i < n; ++i) {
    scored[i] = {NextWord(consumer.random ^ HashKey(providers[i].address), 0), i};
  }
  std::nth_element(scored.begin(), scored.begin() + k, scored.end(),
                   [&](const Scored& a, const Scored& b) {
                     if (a.score != b.score) return a.score > b.score;
                     return providers[a.i].address < providers[b.i].address;
                   });
  std::vector<Index> chosen;
  for (Index i = 0; i < k; ++i) chosen.push_back(scored[i].i);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

Decorator SubsetDecorator() noexcept {
  return {.select = Select, .check = Check};
}

}  // namespace weir
