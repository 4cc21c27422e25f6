// OutlierDetector: which providers fail so much more than the others that they get no calls for a
// while. The rules and their figures: OutlierEjection (weir/channel.h); the idea is Envoy's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/channel.h"
#include "weir/load_balance.h"

namespace weir::detail {

// It looks at what endpoints count from time to time, costs calls nothing, and knows no clock but
// the one it is told. Not thread-safe.
class OutlierDetector {
 public:
  enum class Rule : std::uint8_t { kFailuresInARow, kErrorRate, kSilence };
  static constexpr std::size_t kRules = 3;
  static std::string_view NameOf(Rule rule) noexcept;

  // Something to log and to count.
  struct Event {
    std::string address;
    bool ejected = false;  // else it is back
    Rule rule = Rule::kFailuresInARow;
    std::string why;
  };
  // True if a connection to the provider at this position is open.
  using IsConnected = std::function<bool(Index)>;

  // `seed`: of the jitter.
  OutlierDetector(const OutlierEjection& options, std::uint64_t seed)
      : options_(options), random_(seed) {}

  // The providers from here on. What is known of those that stay is kept; their endpoints must be
  // the same.
  void Use(std::shared_ptr<const Snapshot> providers);
  // Looks at all of them; `now_ns` is the clock of the endpoints. True if other ones than before
  // are ejected or on trial.
  bool Review(std::int64_t now_ns, const IsConnected& is_connected);
  bool Review(std::int64_t now_ns) {
    return Review(now_ns, [](Index) { return true; });
  }

  // By position, ascending. On trial: a call may go there, and what becomes of it decides.
  std::span<const Index> ejected() const noexcept { return ejected_; }
  std::span<const Index> on_trial() const noexcept { return on_trial_; }
  // Which one of its trials it is; grows.
  std::uint32_t TrialOf(Index i) const noexcept { return states_[i].trial; }
  // Who should be asked for a LoadReport now, whether they still live.
  std::span<const Index> to_ask() const noexcept { return to_ask_; }
  // What happened in the last review.
  std::span<const Event> events() const noexcept { return events_; }
  // Nothing can change before there are calls again.
  bool at_rest() const noexcept { return at_rest_; }

 private:
  enum class Mode : std::uint8_t { kIn, kEjected, kTrial };
  struct State {
    Mode mode = Mode::kIn;
    bool seen = false;
    bool connected = false;
    bool mute = false;    // ejected, and seems to give no sign of life
    bool proven = false;  // so it is: it was asked for one before
    Rule rule = Rule::kFailuresInARow;
    std::uint32_t times = 0;  // ejected, in a row
    std::uint32_t trial = 0;
    std::uint32_t base_failures = 0;  // that do not count
    std::uint64_t base_calls = 0;     // at the start of the interval
    std::int64_t interval_ns = 0;     // its start
    std::int64_t quiet_since = 0;     // calls wait, or waited in vain, and nothing was heard; 0: no
    std::int64_t heard_ns = 0;
    std::int64_t asked_ns = 0;  // for a sign of life; 0: not
    std::int64_t ejected_ns = 0;
    std::int64_t until_ns = 0;
    std::int64_t back_ns = 0;
  };

  void Watch(Index i, std::int64_t now_ns, bool connected);
  void WatchEjected(Index i, std::int64_t now_ns);
  void WatchTrial(Index i, std::int64_t now_ns);
  // The rule that the provider breaks; false if it breaks none.
  bool BreaksARule(Index i, std::int64_t now_ns, Rule* rule, std::string* why);
  bool IsSilent(Index i, std::int64_t now_ns, std::string* why);
  // Of those that are in and have been called: fewer failures than half of this part, and one that
  // answers well.
  bool OthersAreBetter(Index i, float error_rate) const noexcept;
  bool OthersWereHeardSince(Index i, std::int64_t since_ns) const noexcept;
  std::uint32_t MostEjected() const noexcept;
  void Eject(Index i, std::int64_t now_ns, Rule rule, std::string why);
  void Try(Index i);
  void TakeBack(Index i, std::int64_t now_ns);
  std::int64_t HowLong(std::uint32_t times) noexcept;

  const OutlierEjection options_;
  std::uint64_t random_;
  std::shared_ptr<const Snapshot> providers_;
  std::vector<State> states_;  // as in the snapshot
  std::uint32_t out_ = 0;      // ejected or on trial
  std::vector<Index> ejected_;
  std::vector<Index> on_trial_;
  std::vector<Index> to_ask_;
  std::vector<Event> events_;
  bool changed_ = false;
  bool at_rest_ = true;
};

}  // namespace weir::detail
