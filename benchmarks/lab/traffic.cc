#include "lab/traffic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::lab {

std::vector<double> KeyPopularity(const Scenario& scenario) {
  std::vector<double> parts(scenario.keys);
  double sum = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = std::pow(static_cast<double>(i + 1), -scenario.key_exponent);
    sum += parts[i];
  }
  for (double& part : parts) part /= sum;
  return parts;
}

Traffic::Traffic(const Scenario& scenario, std::uint64_t seed, Nanos start)
    : scenario_(scenario),
      rate_(scenario.Rate() * 1e-9),
      start_(start),
      now_(0),
      arrivals_(seed, 1),
      work_(seed, 2),
      keys_(seed, 3),
      key_sums_(KeyPopularity(scenario)) {
  double sum = 0;
  for (double& part : key_sums_) part = sum += part;
}

NewCall Traffic::Next() {
  // How many calls at the plain rate lie between this one and the last; phases stretch it.
  double gap = arrivals_.Exponential(1);
  for (;;) {
    double rate = rate_;
    double until = std::numeric_limits<double>::infinity();
    for (const Phase& phase : scenario_.phases) {
      const auto from = static_cast<double>(phase.from);
      const double to = from + static_cast<double>(phase.length);
      if (now_ < from) {
        until = std::min(until, from);
      } else if (now_ < to) {
        rate *= phase.factor;
        until = std::min(until, to);
      }
    }
    const double within = (until - now_) * rate;
    if (rate > 0 && gap <= within) {
      now_ += gap / rate;
      break;
    }
    gap -= rate > 0 ? within : 0;
    now_ = until;
  }
  NewCall call;
  call.time = start_ + std::llround(now_);
  call.client = arrivals_.Below(scenario_.clients);
  call.work_ns = scenario_.service.Draw(work_);
  if (!key_sums_.empty()) {
    const auto found = std::upper_bound(key_sums_.begin(), key_sums_.end() - 1, keys_.Uniform());
    call.key = static_cast<std::uint32_t>(found - key_sums_.begin());
  }
  return call;
}

}  // namespace weir::lab
