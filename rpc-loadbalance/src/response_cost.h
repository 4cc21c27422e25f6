// What a further call to a provider is expected to cost, for the strategies that go by response
// times: time x (calls in flight + 1) / weight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "weir/load_balance.h"

namespace weir {

// value / divisor, compared without a division. A value.
struct Cost {
  float value = 0;
  float divisor = 1;

  float ns() const noexcept { return value / divisor; }
  friend bool operator<(const Cost& a, const Cost& b) noexcept {
    return a.value * b.divisor < b.value * a.divisor;
  }
  friend bool operator==(const Cost& a, const Cost& b) noexcept {
    return a.value * b.divisor == b.value * a.divisor;
  }
};

// A value.
class ResponseCost {
 public:
  // Parameters: `decay`, how fast it is forgotten how slow a provider was that nothing is heard of
  // (its failures are forgotten in a quarter of that); `penalty`, the time a failed call counts
  // for.
  static Result<ResponseCost> Read(const Parameters& parameters);
  static Status Check(const Parameters& parameters) { return Read(parameters).status(); }

  // Of the next call, which takes time x (active + 1) x `inverse_weight`. The time follows from
  // `estimate`, the endpoint's own of its last answers (0: there is none):
  //
  // - Nothing in flight: what is known loses weight with the time since the last answer. So a
  //   provider that was slow or failed is tried again, some time.
  // - Something in flight: what is known counts in full, so that one call does the trying; a
  //   provider that has not answered for longer is taken to be as slow as it is silent.
  // - One never heard of costs nothing, until a call is on its way to it.
  // - Failures count for the penalty, in proportion.
  Cost Of(const Endpoint& endpoint, float estimate, std::uint32_t active, float inverse_weight,
          std::int64_t now_ns) const noexcept {
    const auto silence =
        static_cast<float>(std::max<std::int64_t>(now_ns - endpoint.heard_ns(), 0));
    const float errors = endpoint.error_rate();
    if (active == 0) {
      if (errors != 0) return {TimeAfterFailures(estimate, errors, silence) * inverse_weight, 1};
      // 1 / Endpoint::Keep().
      const float root = 1 + std::min(silence * root_per_ns_, kLongestSilence);
      return {estimate * inverse_weight, root * root * root * root};
    }
    float time = estimate == 0 ? penalty_ns_ : estimate;
    if (silence > time) time = std::max(time, Owed(endpoint, active, silence, now_ns));
    return {(time + errors * penalty_ns_) * static_cast<float>(active + 1) * inverse_weight, 1};
  }

  // "cost 12 ms: 1 in flight at 6 ms a call, 0 % failed lately".
  static std::string Describe(const Cost& cost, float estimate, std::uint32_t active,
                              const Endpoint& endpoint);

 private:
  static constexpr float kLongestSilence = 1000;  // keeps the products of comparisons finite

  float TimeAfterFailures(float estimate, float errors, float silence) const noexcept {
    return estimate * Endpoint::Keep(silence, decay_ns_) +
           errors * penalty_ns_ * Endpoint::Keep(silence, error_decay_ns_);
  }
  // How long the oldest call in flight has been without any answer, as far as the sum tells: calls
  // that began at an even rate are half as old on average as the first of them.
  static float Owed(const Endpoint& endpoint, std::uint32_t active, float silence,
                    std::int64_t now_ns) noexcept {
    const auto waited = static_cast<float>(endpoint.waited_ns(now_ns));
    return std::min(silence, 2 * waited / static_cast<float>(active + 1));
  }

  float decay_ns_ = 0;
  float error_decay_ns_ = 0;
  float root_per_ns_ = 0;  // 1 / (4 * decay)
  float penalty_ns_ = 0;
};

// Mean weight / weight for each provider; that of a weight of 0 is infinite.
std::vector<float> InverseWeights(const std::vector<std::uint32_t>& weights);

}  // namespace weir
