#include "weir/kv/options.h"

#include <charconv>

namespace weir::kv {
namespace {

class Steady final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  std::uint64_t WallMs() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  }
  void WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable& wake,
                 TimePoint deadline) override {
    wake.wait_until(lock, deadline);
  }
};

// The positive number that is all of `text`, or 0.
std::uint64_t ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

std::shared_ptr<Clock> SteadyClock() {
  return std::make_shared<Steady>();
}

Result<SyncPolicy> ParseSyncPolicy(const std::string_view given) {
  std::string_view text = given;
  if (text == "none") return SyncPolicy{.mode = SyncMode::kNone};
  if (text == "always") return SyncPolicy{.mode = SyncMode::kAlways};
  constexpr std::string_view kBytes = "bytes=";
  constexpr std::string_view kInterval = "interval=";
  if (text.starts_with(kBytes)) {
    if (const auto bytes = ParseNumber(text.substr(kBytes.size())); bytes > 0) {
      return SyncPolicy{.mode = SyncMode::kEveryBytes, .bytes = bytes};
    }
  } else if (text.starts_with(kInterval) && text.ends_with("ms")) {
    text.remove_prefix(kInterval.size());
    text.remove_suffix(2);
    constexpr std::uint64_t kLongest = 24ULL * 3600 * 1000;
    if (const auto ms = ParseNumber(text); ms > 0 && ms <= kLongest) {
      return SyncPolicy{.mode = SyncMode::kInterval, .interval = std::chrono::milliseconds(ms)};
    }
  }
  return InvalidArgument("sync mode \"" + std::string(given) +
                         "\" is not known: use none, always, bytes=N or interval=Nms");
}

std::string ToString(const SyncPolicy& policy) {
  switch (policy.mode) {
    case SyncMode::kNone:
      return "none";
    case SyncMode::kEveryBytes:
      return "bytes=" + std::to_string(policy.bytes);
    case SyncMode::kInterval:
      return "interval=" + std::to_string(policy.interval.count()) + "ms";
    case SyncMode::kAlways:
      break;
  }
  return "always";
}

}  // namespace weir::kv
