#include "lab/distribution.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <vector>

namespace weir::lab {
namespace {

struct Unit {
  std::string_view name;
  double nanos;
};
constexpr Unit kUnits[] = {{"ns", 1},  {"us", 1e3}, {"ms", 1e6},
                           {"s", 1e9}, {"m", 6e10}, {"h", 36e11}};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string Short(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

Status Refuse(std::string_view text) {
  return InvalidArgument("'" + std::string(text) +
                         "' is no distribution; expected exp(5ms), constant(5ms), "
                         "bimodal(2ms,50ms,0.1), pareto(5ms,1.5) or lognormal(5ms,1)");
}

}  // namespace

Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
      !std::isfinite(value)) {
    return InvalidArgument("'" + std::string(text) + "' is no number");
  }
  return value;
}

Result<std::int64_t> ParseTime(std::string_view text) {
  if (text == "0") return 0;
  const std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits != std::string_view::npos) {
    const Result<double> number = ParseNumber(text.substr(0, digits));
    for (const Unit& unit : kUnits) {
      if (!number.ok() || unit.name != text.substr(digits)) continue;
      const double nanos = *number * unit.nanos;
      if (nanos <= 36e14) return std::llround(nanos);
    }
  }
  return InvalidArgument("'" + std::string(text) + "' is no time; expected 100us, 5ms, 1.5s or 2m");
}

std::string TimeText(std::int64_t nanos) {
  if (nanos == 0) return "0";
  const Unit* best = kUnits;
  for (const Unit& unit : kUnits) {
    if (static_cast<double>(nanos) >= unit.nanos && unit.name != "m" && unit.name != "h")
      best = &unit;
  }
  return Short(static_cast<double>(nanos) / best->nanos) + std::string(best->name);
}

Result<Distribution> Distribution::Parse(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || text.back() != ')') return Refuse(text);
  const std::string_view name = Trim(text.substr(0, open));
  std::string_view rest = text.substr(open + 1, text.size() - open - 2);
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t comma = rest.find(',');
    words.push_back(Trim(rest.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  struct Form {
    std::string_view name;
    Kind kind;
    std::size_t words;
  };
  constexpr Form kForms[] = {{"exp", Kind::kExponential, 1},
                             {"constant", Kind::kConstant, 1},
                             {"bimodal", Kind::kBimodal, 3},
                             {"pareto", Kind::kPareto, 2},
                             {"lognormal", Kind::kLognormal, 2}};
  const auto* form = std::find_if(std::begin(kForms), std::end(kForms),
                                  [&](const Form& f) { return f.name == name; });
  if (form == std::end(kForms) || form->words != words.size()) return Refuse(text);
  const Result<std::int64_t> time = ParseTime(words[0]);
  if (!time.ok() || *time <= 0) return Refuse(text);
  Distribution made;
  made.kind_ = form->kind;
  made.time_ns_ = static_cast<double>(*time);
  if (form->kind == Kind::kBimodal) {
    const Result<std::int64_t> longer = ParseTime(words[1]);
    if (!longer.ok()) return Refuse(text);
    made.long_ns_ = static_cast<double>(*longer);
  }
  if (form->words > 1) {
    const Result<double> shape = ParseNumber(words.back());
    if (!shape.ok() || *shape < 0) return Refuse(text);
    if (form->kind == Kind::kBimodal && *shape > 1) return Refuse(text);
    if (form->kind == Kind::kPareto && *shape <= 1) return Refuse(text);
    if (form->kind == Kind::kLognormal && *shape > 5) return Refuse(text);
    made.shape_ = *shape;
  }
  return made;
}

double Distribution::mean_ns() const noexcept {
  return kind_ == Kind::kBimodal ? time_ns_ * (1 - shape_) + long_ns_ * shape_ : time_ns_;
}

double Distribution::Draw(Random& random) const noexcept {
  double time = time_ns_;
  switch (kind_) {
    case Kind::kExponential:
      time = random.Exponential(time_ns_);
      break;
    case Kind::kConstant:
      break;
    case Kind::kBimodal:
      time = random.Uniform() < shape_ ? long_ns_ : time_ns_;
      break;
    case Kind::kPareto:
      time = time_ns_ * (shape_ - 1) / shape_ * std::pow(1 - random.Uniform(), -1 / shape_);
      break;
    case Kind::kLognormal:
      time = time_ns_ * std::exp(shape_ * random.Normal() - shape_ * shape_ / 2);
      break;
  }
  return std::max(time, 1.0);
}

std::string Distribution::ToString() const {
  const std::string time = TimeText(std::llround(time_ns_));
  switch (kind_) {
    case Kind::kExponential:
      return "exp(" + time + ")";
    case Kind::kConstant:
      return "constant(" + time + ")";
    case Kind::kBimodal:
      return "bimodal(" + time + "," + TimeText(std::llround(long_ns_)) + "," + Short(shape_) + ")";
    case Kind::kPareto:
      return "pareto(" + time + "," + Short(shape_) + ")";
    case Kind::kLognormal:
      return "lognormal(" + time + "," + Short(shape_) + ")";
  }
  return {};
}

}  // namespace weir::lab
