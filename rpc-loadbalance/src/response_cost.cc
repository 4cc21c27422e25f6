#include "response_cost.h"

#include <array>
#include <cmath>
#include <limits>

#include "explain.h"
#include "weights.h"

namespace weir {

Result<ResponseCost> ResponseCost::Read(const Parameters& parameters) {
  static constexpr std::array<std::string_view, 2> kKeys = {"decay", "penalty"};
  if (Status status = parameters.RefuseOthers(kKeys); !status.ok()) return status;
  const Result<std::int64_t> decay =
      parameters.Time("decay", static_cast<std::int64_t>(Endpoint::kDecayNs));
  if (!decay.ok()) return decay.status();
  const Result<std::int64_t> penalty = parameters.Time("penalty", 1'000'000'000);
  if (!penalty.ok()) return penalty.status();
  ResponseCost cost;
  cost.decay_ns_ = static_cast<float>(*decay);
  cost.error_decay_ns_ = cost.decay_ns_ * (Endpoint::kErrorDecayNs / Endpoint::kDecayNs);
  cost.root_per_ns_ = 1 / (4 * cost.decay_ns_);
  cost.penalty_ns_ = static_cast<float>(*penalty);
  return cost;
}

std::string ResponseCost::Describe(const Cost& cost, float estimate, std::uint32_t active,
                                   const Endpoint& endpoint) {
  return "cost " + Milliseconds(cost.ns()) + ": " + std::to_string(active) + " in flight at " +
         Milliseconds(estimate) + " a call, " +
         std::to_string(std::lround(100 * endpoint.error_rate())) + " % failed lately";
}

std::vector<float> InverseWeights(const std::vector<std::uint32_t>& weights) {
  const double mean = static_cast<double>(Sum(weights)) /
                      static_cast<double>(std::max<std::size_t>(weights.size(), 1));
  std::vector<float> inverse;
  inverse.reserve(weights.size());
  for (const std::uint32_t weight : weights) {
    inverse.push_back(weight == 0 ? std::numeric_limits<float>::infinity()
                                  : static_cast<float>(mean / weight));
  }
  return inverse;
}

}  // namespace weir
