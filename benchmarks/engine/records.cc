#include "engine/records.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weir::bench {

Values::Values(std::size_t size) : size_(size), noise_(kNoiseBytes + size, '\0') {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < noise_.size(); ++i) {
    if (i % 8 == 0) word = Mix(i);
    noise_[i] = static_cast<char>(word >> (i % 8 * 8));
  }
}

Shuffle::Shuffle(std::uint64_t count, std::uint64_t which) noexcept
    : count_(count), first_(Mix(which) % count), step_(Mix(~which) % count) {
  step_ = std::max<std::uint64_t>(1, step_ % (std::uint64_t{1} << 32));  // i * step_ does not wrap
  while (std::gcd(step_, count_) != 1) ++step_;
}

std::vector<std::uint32_t> ZipfDraws(std::uint64_t count) {
  constexpr double kTheta = 0.99;
  constexpr std::size_t kDraws = 1 << 20;
  double zeta = 0;
  for (std::uint64_t i = 1; i <= count; ++i) zeta += std::pow(static_cast<double>(i), -kTheta);
  const double n = static_cast<double>(count);
  const double second = 1 + std::pow(0.5, kTheta);
  const double alpha = 1 / (1 - kTheta);
  const double eta = (1 - std::pow(2 / n, 1 - kTheta)) / (1 - second / zeta);
  std::vector<std::uint32_t> draws;
  draws.reserve(kDraws);
  for (std::size_t i = 0; i < kDraws; ++i) {
    const double u = static_cast<double>(Mix(i) >> 11) * 0x1p-53;
    double rank = n * std::pow(eta * u - eta + 1, alpha);
    if (u * zeta < second) rank = 1;
    if (u * zeta < 1) rank = 0;
    draws.push_back(static_cast<std::uint32_t>(std::clamp(rank, 0.0, n - 1)));
  }
  return draws;
}

}  // namespace weir::bench
