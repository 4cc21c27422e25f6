// Distribution: how long the work of a call takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lab/random.h"
#include "weir/status.h"

namespace weir::lab {

// A value. As text: exp(5ms), constant(5ms), bimodal(2ms,50ms,0.1) (short, long, the part that is
// long), pareto(5ms,1.5) (mean, shape above 1), lognormal(5ms,1) (mean, sigma).
class Distribution {
 public:
  // exp(5ms)
  Distribution() = default;
  // INVALID_ARGUMENT shows the forms.
  static Result<Distribution> Parse(std::string_view text);

  double mean_ns() const noexcept;
  // The next time in nanoseconds, at least 1. Every draw of a kind takes the same number of words.
  double Draw(Random& random) const noexcept;
  std::string ToString() const;

 private:
  enum class Kind : std::uint8_t { kExponential, kConstant, kBimodal, kPareto, kLognormal };
  Kind kind_ = Kind::kExponential;
  double time_ns_ = 5e6;
  double long_ns_ = 0;
  double shape_ = 0;  // the part that is long, or the shape, or sigma
};

// "250us", "1.5s", "2m", "0"; also "100ns", "5ms", "1h". INVALID_ARGUMENT names the text.
Result<std::int64_t> ParseTime(std::string_view text);
// The shortest of these forms: "1.5s".
std::string TimeText(std::int64_t nanos);
// A finite decimal number, the whole text.
Result<double> ParseNumber(std::string_view text);

}  // namespace weir::lab
