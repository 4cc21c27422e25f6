#include "fault/steady_load.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "support/process.h"

namespace weir::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

int LoadTally::FailedBetween(Clock::time_point from, Clock::time_point to) const {
  return static_cast<int>(std::count_if(
      failures.begin(), failures.end(),
      [&](const Failure& failure) { return failure.started >= from && failure.started < to; }));
}

std::string LoadTally::ToString() const {
  std::map<std::string, int> reasons;
  for (const Failure& failure : failures) ++reasons[failure.status.ToString()];
  std::string text = std::to_string(started) + " calls, " + std::to_string(answered) +
                     " answered, " + std::to_string(failures.size()) + " failed";
  for (const auto& [reason, count] : reasons) {
    text += "\n  " + std::to_string(count) + " x " + reason;
  }
  return text;
}

SteadyLoad::SteadyLoad(const std::string& registry_url, SteadyLoadOptions options,
                       ChannelOptions channel)
    : options_(options), channel_(registry_url, std::move(channel)), echo_(channel_) {
  const Result<EchoReply> first =
      echo_.Plain({}, CallOptions().WaitForReady().WithTimeout(seconds(20)));
  if (!first.ok()) throw std::runtime_error(first.status().ToString());
  thread_ = std::thread([this] { Run(); });
}

SteadyLoad::~SteadyLoad() {
  Stop();
}

LoadTally SteadyLoad::Stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return in_flight_ == 0; });
  if (thread_.joinable()) {
    lock.unlock();
    thread_.join();
    lock.lock();
    changed_.wait(lock, [this] { return in_flight_ == 0; });
  }
  return tally_;
}

void SteadyLoad::Run() {
  const std::chrono::nanoseconds pause =
      std::chrono::nanoseconds(seconds(1)) / options_.calls_per_second;
  auto next = LoadTally::Clock::now();
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const auto now = LoadTally::Clock::now();
    if (now < next) {
      changed_.wait_until(lock, next);
      continue;
    }
    if (now - next > milliseconds(100)) next = now;
    next += pause;
    ++tally_.started;
    ++in_flight_;
    lock.unlock();
    Call();
    lock.lock();
  }
}

void SteadyLoad::Call() {
  EchoRequest request;
  request.set_delay_ms(options_.handler_ms);
  auto done = [this, started = LoadTally::Clock::now()](Result<EchoReply> reply) {
    const std::lock_guard lock(mutex_);
    if (reply.ok()) {
      ++tally_.answered;
      ++tally_.answered_by[reply->served_by()];
    } else {
      tally_.failures.push_back({started, std::move(reply).status()});
    }
    if (--in_flight_ == 0) changed_.notify_all();
  };
  const auto options = [this] { return Timeout(options_.timeout); };
  if (options_.idempotent) {
    echo_.Idempotent(request, options(), std::move(done));
  } else if (options_.handler_ms > 0) {
    echo_.Coroutine(request, options(), std::move(done));
  } else {
    echo_.Plain(request, options(), std::move(done));
  }
}

LoadTally SteadyLoad::tally() const {
  const std::lock_guard lock(mutex_);
  return tally_;
}

int SteadyLoad::started() const {
  const std::lock_guard lock(mutex_);
  return tally_.started;
}

int SteadyLoad::AnsweredBy(const std::string& provider) const {
  const std::lock_guard lock(mutex_);
  const auto found = tally_.answered_by.find(provider);
  return found != tally_.answered_by.end() ? found->second : 0;
}

bool SteadyLoad::AwaitAnswersFrom(const std::vector<std::string>& providers, milliseconds timeout,
                                  int calls) const {
  std::map<std::string, int> wanted;
  for (const std::string& provider : providers) wanted[provider] = AnsweredBy(provider) + calls;
  const auto answered = [this](const auto& entry) {
    return AnsweredBy(entry.first) >= entry.second;
  };
  return weir::testing::WaitUntil(
      [&] { return std::all_of(wanted.begin(), wanted.end(), answered); }, timeout);
}

}  // namespace weir::test
