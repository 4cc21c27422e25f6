#include "client/outlier_detector.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/split_mix.h"

namespace weir::detail {
namespace {

// "1.5 s"
std::string Seconds(std::int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ns) * 1e-9);
  return text;
}

std::string Percent(float part) {
  return std::to_string(std::lround(100 * part)) + " %";
}

// Uniform in [-1, 1).
double Jitter(std::uint64_t& state) noexcept {
  return static_cast<double>(SplitMix64(state) >> 11) * 0x1.0p-52 - 1;
}

}  // namespace

std::string_view OutlierDetector::NameOf(Rule rule) noexcept {
  switch (rule) {
    case Rule::kFailuresInARow:
      return "failures_in_a_row";
    case Rule::kErrorRate:
      return "error_rate";
    case Rule::kSilence:
      return "silence";
  }
  return "unknown";
}

void OutlierDetector::Use(std::shared_ptr<const Snapshot> providers) {
  std::map<std::string_view, State> known;
  for (Index i = 0; i < states_.size(); ++i) {
    known.emplace(providers_->provider(i).address, states_[i]);
  }
  std::vector<State> states(providers->size());
  out_ = 0;
  for (Index i = 0; i < providers->size(); ++i) {
    const auto found = known.find(providers->provider(i).address);
    if (found == known.end()) continue;
    states[i] = found->second;
    out_ += states[i].mode != Mode::kIn;
  }
  states_ = std::move(states);
  providers_ = std::move(providers);
  ejected_.clear();
  on_trial_.clear();
  to_ask_.clear();
  for (Index i = 0; i < states_.size(); ++i) {
    if (states_[i].mode == Mode::kEjected) ejected_.push_back(i);
    if (states_[i].mode == Mode::kTrial) on_trial_.push_back(i);
  }
  at_rest_ = false;
}

bool OutlierDetector::Review(std::int64_t now_ns, const IsConnected& is_connected) {
  events_.clear();
  to_ask_.clear();
  changed_ = false;
  at_rest_ = true;
  if (!providers_) return false;
  // All before any is judged by the others.
  for (Index i = 0; i < states_.size(); ++i) Watch(i, now_ns, is_connected(i));
  for (Index i = 0; i < states_.size(); ++i) {
    if (providers_->endpoint(i).active() > 0 || states_[i].mode == Mode::kEjected) at_rest_ = false;
    switch (states_[i].mode) {
      case Mode::kIn: {
        Rule rule{};
        std::string why;
        if (!states_[i].connected || !BreaksARule(i, now_ns, &rule, &why)) break;
        if (out_ < MostEjected()) Eject(i, now_ns, rule, std::move(why));
        break;
      }
      case Mode::kEjected:
        WatchEjected(i, now_ns);
        break;
      case Mode::kTrial:
        WatchTrial(i, now_ns);
        break;
    }
  }
  if (!changed_) return false;
  ejected_.clear();
  on_trial_.clear();
  for (Index i = 0; i < states_.size(); ++i) {
    if (states_[i].mode == Mode::kEjected) ejected_.push_back(i);
    if (states_[i].mode == Mode::kTrial) on_trial_.push_back(i);
  }
  return true;
}

void OutlierDetector::Watch(Index i, std::int64_t now_ns, bool connected) {
  State& state = states_[i];
  const Endpoint& endpoint = providers_->endpoint(i);
  if (!std::exchange(state.seen, true)) {
    state.connected = connected;
    state.interval_ns = now_ns;
  } else if (connected != state.connected) {
    state.connected = connected;
    // What a lost connection took along says nothing about who answers on the next one.
    state.base_failures = endpoint.failures();
    state.base_calls = endpoint.calls();
    state.interval_ns = now_ns;
    state.quiet_since = state.asked_ns = 0;
    if (connected && state.mode == Mode::kEjected) Try(i);
  }
  state.base_failures = std::min(state.base_failures, endpoint.failures());
  if (now_ns - state.interval_ns >= options_.interval.count()) {
    state.interval_ns = now_ns;
    state.base_calls = endpoint.calls();
  }
  if (const std::int64_t heard = endpoint.reported_ns(); heard != state.heard_ns) {
    state.heard_ns = heard;
    state.quiet_since = state.asked_ns = 0;
  }
  if (endpoint.active() == 0 && endpoint.failures() == 0) {
    state.quiet_since = state.asked_ns = 0;
  } else if (state.quiet_since == 0 && endpoint.active() > 0) {
    state.quiet_since = now_ns;
  }
}

bool OutlierDetector::BreaksARule(Index i, std::int64_t now_ns, Rule* rule, std::string* why) {
  const State& state = states_[i];
  const Endpoint& endpoint = providers_->endpoint(i);
  const float error_rate = endpoint.error_rate();
  const std::uint32_t in_a_row = endpoint.failures() - state.base_failures;
  if (options_.consecutive_failures > 0 && in_a_row >= options_.consecutive_failures &&
      OthersAreBetter(i, error_rate)) {
    *rule = Rule::kFailuresInARow;
    *why = std::to_string(in_a_row) + " calls in a row failed, while others answer";
    return true;
  }
  const std::uint64_t calls = endpoint.calls() - state.base_calls;
  if (options_.error_rate > 0 && calls >= options_.least_calls &&
      error_rate >= static_cast<float>(options_.error_rate) && OthersAreBetter(i, error_rate)) {
    *rule = Rule::kErrorRate;
    *why = Percent(error_rate) + " of its calls fail, and less than half as many of the others'";
    return true;
  }
  *rule = Rule::kSilence;
  return IsSilent(i, now_ns, why);
}

bool OutlierDetector::IsSilent(Index i, std::int64_t now_ns, std::string* why) {
  State& state = states_[i];
  const std::int64_t half = options_.silence.count() / 2;
  // Who has never reported may be one who does not know how to.
  if (half == 0 || state.heard_ns == 0 || state.quiet_since == 0) return false;
  if (now_ns - state.quiet_since < half) return false;
  if (state.asked_ns == 0) {
    state.asked_ns = now_ns;
    to_ask_.push_back(i);
    return false;
  }
  if (now_ns - state.asked_ns < half || !OthersWereHeardSince(i, state.quiet_since)) return false;
  *why = std::to_string(providers_->endpoint(i).active()) +
         " calls are in flight and nothing was heard for " + Seconds(now_ns - state.quiet_since) +
         ", while others answer";
  return true;
}

bool OutlierDetector::OthersAreBetter(Index i, float error_rate) const noexcept {
  float sum = 0;
  std::uint32_t others = 0;
  bool answers = false;
  for (Index k = 0; k < states_.size(); ++k) {
    const Endpoint& other = providers_->endpoint(k);
    if (k == i || states_[k].mode != Mode::kIn || !states_[k].connected) continue;
    if (other.calls() == 0) continue;
    sum += other.error_rate();
    ++others;
    answers = answers || other.failures() == 0;
  }
  return answers && 2 * sum <= error_rate * static_cast<float>(others);
}

bool OutlierDetector::OthersWereHeardSince(Index i, std::int64_t since_ns) const noexcept {
  for (Index k = 0; k < states_.size(); ++k) {
    if (k != i && states_[k].mode == Mode::kIn && states_[k].heard_ns > since_ns) return true;
  }
  return false;
}

std::uint32_t OutlierDetector::MostEjected() const noexcept {
  const auto size = static_cast<std::uint64_t>(states_.size());
  if (size < 2) return 0;
  return static_cast<std::uint32_t>(
      std::max<std::uint64_t>(1, size * options_.max_ejected_percent / 100));
}

void OutlierDetector::WatchEjected(Index i, std::int64_t now_ns) {
  State& state = states_[i];
  if (state.mute && state.heard_ns > state.ejected_ns) {
    state.mute = false;
    const std::int64_t silent = state.heard_ns - state.ejected_ns;
    if (state.proven || silent >= options_.silence.count() / 2) return Try(i);
    // It lives, and so did it when its calls failed: time will tell.
  }
  if (state.mute && state.connected) {
    to_ask_.push_back(i);
  } else if (!state.mute && now_ns >= state.until_ns) {
    Try(i);
  }
}

void OutlierDetector::WatchTrial(Index i, std::int64_t now_ns) {
  const State& state = states_[i];
  const std::uint32_t failures = providers_->endpoint(i).failures();
  if (failures == 0) return TakeBack(i, now_ns);
  std::string why;
  if (failures > state.base_failures) {
    Eject(i, now_ns, state.rule, "its trial call failed");
  } else if (IsSilent(i, now_ns, &why)) {
    Eject(i, now_ns, Rule::kSilence, std::move(why));
  }
}

void OutlierDetector::Try(Index i) {
  State& state = states_[i];
  state.mode = Mode::kTrial;
  state.mute = false;
  ++state.trial;
  state.quiet_since = state.asked_ns = 0;
  // Without failures before it (silence alone) there is none to be made good: any failure counts.
  state.base_failures = providers_->endpoint(i).failures();
  state.base_calls = providers_->endpoint(i).calls();
  changed_ = true;
}

void OutlierDetector::Eject(Index i, std::int64_t now_ns, Rule rule, std::string why) {
  State& state = states_[i];
  if (state.mode == Mode::kIn) {
    ++out_;
    // Each quiet time as long as the last ejection makes up for one.
    const std::int64_t last = HowLong(state.times);
    const std::int64_t made_up =
        state.times == 0 || last == 0 ? 0 : (now_ns - state.back_ns) / last;
    state.times -= static_cast<std::uint32_t>(std::min<std::int64_t>(made_up, state.times));
  }
  ++state.times;
  state.mode = Mode::kEjected;
  state.rule = rule;
  state.ejected_ns = now_ns;
  const std::int64_t time = HowLong(state.times);
  state.until_ns = now_ns + time;
  // From who was quiet at the end a sign of life is waited for.
  state.mute = state.heard_ns != 0 && options_.silence.count() > 0 &&
               now_ns - state.heard_ns >= options_.silence.count() / 16;
  state.proven = rule == Rule::kSilence;
  why += state.mute ? "; until it gives a sign of life" : "; for " + Seconds(time);
  events_.push_back({providers_->provider(i).address, true, rule, std::move(why)});
  changed_ = true;
}

void OutlierDetector::TakeBack(Index i, std::int64_t now_ns) {
  State& state = states_[i];
  state.mode = Mode::kIn;
  state.back_ns = now_ns;
  state.base_failures = 0;
  --out_;
  events_.push_back({providers_->provider(i).address, false, state.rule,
                     "its trial call was answered, after " + Seconds(now_ns - state.ejected_ns)});
  changed_ = true;
}

std::int64_t OutlierDetector::HowLong(std::uint32_t times) noexcept {
  if (times == 0) return 0;
  const auto base = static_cast<double>(options_.base_time.count());
  const auto most = static_cast<double>(options_.max_time.count());
  const double time = std::min(most, std::ldexp(base, static_cast<int>(std::min(times - 1, 60u))));
  return static_cast<std::int64_t>(time * (1 + options_.jitter * Jitter(random_)));
}

}  // namespace weir::detail
