// What a further call to a provider is expected to cost, for the strategies that go by response
// times: time x (calls in flight + 1) / weight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

// A value.
class ResponseCost {
 public:
  // Parameters: `decay`, how fast it is forgotten how slow a provider was that nothing is heard of
  // (its failures are forgotten in a quarter of that); `penalty`, the time a failed call counts
  // for.
  static Result<ResponseCost> Read(const Parameters& parameters);
  static Status Check(const Parameters& parameters) { return Read(parameters).status(); }

  // The time a call would take, from `estimate`, the endpoint's own of its last answers (0: there
  // is none), and its calls in flight, in ns.
  //
  // - Nothing in flight: what is known loses weight with the time since the last answer. So a
  //   provider that was slow or failed is tried again, some time.
  // - Something in flight: what is known counts in full, so that one call does the trying; a
  //   provider that has not answered for longer is taken to be as slow as it is silent.
  // - One never heard of costs nothing, until a call is on its way to it.
  // - Failures count for the penalty, in proportion.
  float Time(const Endpoint& endpoint, float estimate, std::uint32_t active,
             std::int64_t now_ns) const noexcept {
    const std::int64_t since_ns = std::max<std::int64_t>(now_ns - endpoint.heard_ns(), 0);
    const auto since = static_cast<float>(since_ns);
    const float errors = endpoint.error_rate();
    if (active == 0) {
      const float time = estimate * Endpoint::Keep(since, decay_ns_);
      if (errors == 0) return time;
      return time + errors * penalty_ns_ * Endpoint::Keep(since, error_decay_ns_);
    }
    float time = estimate;
    if (estimate == 0) time = penalty_ns_;
    if (since > time) time = std::max(time, Silence(endpoint, active, since, now_ns));
    return time + errors * penalty_ns_;
  }

 private:
  // How long the oldest call in flight has been without any answer, as far as the sum tells: calls
  // that began at an even rate are half as old on average as the first of them.
  static float Silence(const Endpoint& endpoint, std::uint32_t active, float since,
                       std::int64_t now_ns) noexcept {
    const auto waited = static_cast<float>(endpoint.waited_ns(now_ns));
    return std::min(since, 2 * waited / static_cast<float>(active + 1));
  }

  float decay_ns_ = 0;
  float error_decay_ns_ = 0;
  float penalty_ns_ = 0;
};

// 1 / weight for each provider, as a part of that of the mean weight; 0 has an infinite one.
std::vector<float> InverseWeights(const std::vector<std::uint32_t>& weights);

// "cost 12 ms: 6 ms a call, 1 in flight, 0 % failed lately".
std::string DescribeCost(float cost, float time, std::uint32_t active, const Endpoint& endpoint);

}  // namespace weir
