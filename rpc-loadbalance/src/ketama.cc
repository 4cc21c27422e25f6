// ketama: equal keys to the same provider as libketama 0.1 and the memcached clients that follow it
// choose it (Richard Jones, Last.fm, 2007). The continuum holds the four words of the MD5 of
// "host:port-0", "host:port-1", ..., a key stands at the first word of its own MD5, and the next
// point at or after it decides.
//
// Parameter: points, those of a provider of mean weight, four per digest.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "address_order.h"
#include "exclusion.h"
#include "explain.h"
#include "md5.h"
#include "ring_points.h"
#include "strategies.h"
#include "weights.h"

namespace weir {
namespace {

constexpr std::uint32_t kPointsPerDigest = 4;

Result<std::uint32_t> ReadDigests(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 1> kKeys = {"points"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> points = parameters.Integer("points", 160, 4, 4096);
  if (!points.ok()) return points.status();
  if (*points % kPointsPerDigest != 0) return parameters.Refuse("points", "a multiple of 4");
  return static_cast<std::uint32_t>(*points) / kPointsPerDigest;
}

Status Check(const Parameters& parameters) {
  return ReadDigests(parameters).status();
}

// In floating point and rounded down as libketama does it, since its continuum is what this is for.
std::uint32_t DigestsOf(std::uint64_t weight, std::uint64_t sum, std::size_t count,
                        std::uint32_t digests) {
  const float part = static_cast<float>(weight) / static_cast<float>(sum);
  const double exact = static_cast<double>(part) * digests * static_cast<float>(count);
  return static_cast<std::uint32_t>(std::floor(static_cast<float>(exact)));
}

class Continuum {
 public:
  Continuum(std::span<const Provider> providers, std::uint32_t digests)
      : weights_(EffectiveWeights(providers)) {
    const std::uint64_t sum = Sum(weights_);
    const auto count = static_cast<std::size_t>(
        std::count_if(weights_.begin(), weights_.end(), [](std::uint32_t w) { return w > 0; }));
    std::vector<PackedPoint> points;
    for (const Index i : AddressOrder(providers)) {
      const std::uint32_t own = DigestsOf(weights_[i], sum, count, digests);
      std::string label = providers[i].address + "-";
      const std::size_t length = label.size();
      for (std::uint32_t k = 0; k < own; ++k) {
        label.resize(length);
        label += std::to_string(k);
        for (const std::uint32_t word : Md5(label)) points.push_back(Pack(word, i));
      }
    }
    // Equal positions stay in the order of addresses: they go to the lower one.
    positions_.resize(points.size());
    owners_.resize(points.size());
    std::vector<PackedPoint> space(points.size());
    SortPoints(points, space, positions_.data(), owners_.data());
    MakeIndex();
  }

  std::span<const std::uint32_t> weights() const noexcept { return weights_; }
  std::size_t size() const noexcept { return positions_.size(); }
  // The first at or after `position` that is not excluded; kNone if none is.
  Index Find(std::uint32_t position, const PickContext& context) const noexcept {
    std::size_t at = starts_[position >> shift_];
    while (at < positions_.size() && positions_[at] < position) ++at;
    for (std::size_t step = 0; step < positions_.size(); ++step, ++at) {
      if (at == positions_.size()) at = 0;
      const Index i = owners_[at];
      if (context.excluded.empty() || !IsExcluded(context, i)) return i;
    }
    return kNone;
  }

 private:
  // One to two points per bucket on average: a search is two memory accesses.
  void MakeIndex() {
    const int bits = std::max(static_cast<int>(std::bit_width(positions_.size())) - 1, 1);
    shift_ = static_cast<std::uint32_t>(32 - bits);
    starts_.resize(std::size_t{1} << bits);
    std::uint32_t at = 0;
    for (std::uint32_t bucket = 0; bucket < starts_.size(); ++bucket) {
      while (at < positions_.size() && positions_[at] < bucket << shift_) ++at;
      starts_[bucket] = at;
    }
  }

  std::uint32_t shift_ = 31;
  std::vector<std::uint32_t> positions_;
  std::vector<Index> owners_;
  std::vector<std::uint32_t> starts_;  // by the top bits of a position: the first point from there
  std::vector<std::uint32_t> weights_;
};

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters& parameters,
                                  const Snapshot*) {
  return std::make_shared<const Continuum>(snapshot.providers(), *ReadDigests(parameters));
}

std::uint32_t PositionOf(const RequestView& request, const PickContext& context) noexcept {
  return request.has_key ? Md5(request.key)[0] : static_cast<std::uint32_t>(context.random >> 32);
}

Index Pick(const RequestView& request, const Snapshot& snapshot,
           const PickContext& context) noexcept {
  if (snapshot.size() == 0) return kNone;
  const auto& continuum = *static_cast<const Continuum*>(snapshot.tables());
  const std::uint32_t position = PositionOf(request, context);
  if (!context.excluded.empty() && CountIncluded(snapshot.size(), context) == 0) return kNone;
  if (const Index i = continuum.Find(position, context); i != kNone) return i;
  // All that is left is too light for a point.
  return WeightedIncluded(continuum.weights(), context, std::uint64_t{position} << 32);
}

std::string Explain(const RequestView& request, const Snapshot& snapshot,
                    const PickContext& context, Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& continuum = *static_cast<const Continuum*>(snapshot.tables());
  const Index owner = continuum.Find(PositionOf(request, context), {});
  std::string why = KeyOf(request) + ": position " + std::to_string(PositionOf(request, context)) +
                    " among " + std::to_string(continuum.size()) + " points";
  if (owner != picked && owner != kNone) {
    why += ", on from that of " + snapshot.provider(owner).address;
  }
  return why;
}

}  // namespace

LoadBalance KetamaStrategy() noexcept {
  return {.pick = Pick, .build = Build, .check = Check, .explain = Explain};
}

}  // namespace weir
