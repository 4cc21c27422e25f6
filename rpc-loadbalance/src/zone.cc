// zone(prefer=eu-1,min=1): the providers of one zone, the consumer's own unless another is named;
// all of them if that zone has fewer than `min`.
//
// Near providers answer sooner, and traffic between zones is often paid for. The price is that the
// zones' loads are no longer shared: see to it that each can serve its own consumers. The channel
// calls on all zones when less than half of the near providers can be used.
#include <array>
#include <numeric>

#include "decorators.h"

namespace weir {
namespace {

struct Options {
  std::string prefer;  // empty: the consumer's own
  std::size_t min;
};

Result<Options> Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 2> kKeys = {"prefer", "min"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  Result<std::string> prefer = parameters.Word("prefer", "");
  if (!prefer.ok()) return std::move(prefer).status();
  const Result<std::int64_t> min = parameters.Integer("min", 1, 1, 10'000);
  if (!min.ok()) return min.status();
  return Options{*std::move(prefer), static_cast<std::size_t>(*min)};
}

Status Check(const Parameters& parameters) {
  return Read(parameters).status();
}

std::vector<Index> Select(std::span<const Provider> providers, const Parameters& parameters,
                          const Consumer& consumer) {
  const Options options = *Read(parameters);
  const std::string& zone = options.prefer.empty() ? consumer.zone : options.prefer;
  std::vector<Index> near;
  for (Index i = 0; i < providers.size(); ++i) {
    if (!zone.empty() && providers[i].zone == zone) near.push_back(i);
  }
  if (near.size() >= options.min) return near;
  std::vector<Index> all(providers.size());
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

}  // namespace

Decorator ZoneDecorator() noexcept {
  return {.select = Select, .check = Check};
}

}  // namespace weir
