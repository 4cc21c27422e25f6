#include "load.h"

#include <google/protobuf/empty.pb.h>
#include <sys/prctl.h>

#include <algorithm>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cmath>
#include <future>
#include <utility>

namespace weir::tool {
namespace {

// A caller whose call found no provider tries again after so long: failing at once again and again
// measures nothing.
constexpr std::chrono::milliseconds kPause{10};
// Calls of an open loop that may be in flight; what is started above it would only be memory.
constexpr std::uint64_t kMostInFlight = 100'000;
// The pacer does not wake up more often than this; calls start late by as much at most.
constexpr std::chrono::microseconds kPace{50};

// A reply of which only the size counts.
struct ReplySize {
  bool ParseFromArray(const void*, int size) noexcept {
    bytes = static_cast<std::uint64_t>(size);
    return true;
  }
  std::uint64_t bytes = 0;
};

}  // namespace

std::uint64_t Tally::ended() const noexcept {
  std::uint64_t all = 0;
  for (const std::uint64_t count : by_code) all += count;
  return all;
}

void Tally::Add(const Tally& later) {
  for (std::size_t i = 0; i < kCodes; ++i) {
    by_code[i] += later.by_code[i];
    if (first_message[i].empty()) first_message[i] = later.first_message[i];
  }
  latency.Add(later.latency);
  lateness.Add(later.lateness);
  reply_bytes += later.reply_bytes;
  not_started += later.not_started;
  in_flight = later.in_flight;
  last_end = std::max(last_end, later.last_end);
}

// The calls of one reactor, whose thread alone touches them once they are started.
class Load::Lane {
 public:
  Lane(Load& load, asio::any_io_executor executor, const ServiceInfo& service, std::uint32_t index,
       std::uint64_t calls)
      : load_(load),
        executor_(std::move(executor)),
        stub_(*load.channel_, service),
        index_(index),
        left_(calls) {
    // Fields it does not know are written as they are: cheaper than a message made at run time.
    request_.ParseFromString(load.call_.request);
  }

  const asio::any_io_executor& executor() const noexcept { return executor_; }

  // Begins so many callers of a closed loop.
  void StartCallers(std::uint32_t callers) {
    active_ = callers;
    const auto now = Clock::now();
    for (std::uint32_t i = 0; i < callers; ++i) Next(now);
    if (callers == 0) Finish();
  }

  // Starts the calls of an open loop from number `first` to before `last` that are this lane's.
  void StartDue(std::uint64_t first, std::uint64_t last) {
    const auto now = Clock::now();
    const std::uint64_t lanes = load_.lanes_.size();
    for (std::uint64_t number = first + (index_ + lanes - first % lanes) % lanes; number < last;
         number += lanes) {
      const auto due = load_.TimeOf(number);
      const bool counts = load_.Counts(due);
      if (in_flight_ >= kMostInFlight / lanes) {
        if (counts) ++tally_.not_started;
        continue;
      }
      if (counts) tally_.lateness.Add(Nanoseconds(now - due));
      Call(due, counts);
    }
  }

  // No calls of an open loop will come any more.
  void EndDue() {
    all_started_ = true;
    if (in_flight_ == 0) Finish();
  }

  Tally Take() {
    tally_.in_flight = in_flight_;
    return std::exchange(tally_, {});
  }

 private:
  static std::uint64_t Nanoseconds(Clock::duration time) noexcept {
    return static_cast<std::uint64_t>(std::max<Clock::rep>(0, time.count()));
  }

  bool open_loop() const noexcept { return load_.plan_.rate > 0; }

  // The next call of a caller of a closed loop, or its end.
  void Next(Clock::time_point now) {
    const bool counts = load_.Counts(now);
    if (load_.Over(now) || (counts && load_.plan_.calls > 0 && left_ == 0)) {
      if (--active_ == 0) Finish();
      return;
    }
    if (counts && load_.plan_.calls > 0) --left_;
    Call(now, counts);
  }

  void Call(Clock::time_point start, bool counts) {
    ++in_flight_;
    std::optional<std::string_view> key;
    if (load_.call_.key) key = *load_.call_.key;
    stub_.Call<ReplySize>(
        *load_.call_.method, request_, load_.call_.options, key,
        [this, start, counts](const Result<ReplySize>& reply) { OnEnd(start, counts, reply); });
  }

  void OnEnd(Clock::time_point start, bool counts, const Result<ReplySize>& reply) {
    --in_flight_;
    const auto now = Clock::now();
    if (counts) Count(start, now, reply);
    if (open_loop()) {
      if (all_started_ && in_flight_ == 0) Finish();
    } else if (reply.status().code() == StatusCode::kUnavailable) {
      auto timer = std::make_shared<asio::steady_timer>(executor_, kPause);
      timer->async_wait([this, timer](const std::error_code&) { Next(Clock::now()); });
    } else {
      Next(now);
    }
  }

  void Count(Clock::time_point start, Clock::time_point now, const Result<ReplySize>& reply) {
    const auto code = static_cast<std::size_t>(reply.status().code());
    ++tally_.by_code[std::min(code, Tally::kCodes - 1)];
    tally_.last_end = now;
    if (reply.ok()) {
      tally_.latency.Add(Nanoseconds(now - start));
      tally_.reply_bytes += reply->bytes;
    } else if (tally_.first_message[code].empty()) {
      tally_.first_message[code] = reply.status().message();
    }
  }

  void Finish() { load_.busy_.fetch_sub(1, std::memory_order_release); }

  Load& load_;
  const asio::any_io_executor executor_;
  const GenericStub stub_;
  const std::uint32_t index_;
  google::protobuf::Empty request_;
  Tally tally_;
  std::uint64_t in_flight_ = 0;
  std::uint64_t left_;        // counted calls to be started by the callers
  std::uint32_t active_ = 0;  // callers
  bool all_started_ = false;
};

Load::Load(Runtime& runtime, std::unique_ptr<Channel> channel, const ServiceInfo& service,
           LoadedCall call, LoadPlan plan)
    : call_(std::move(call)), plan_(plan), channel_(std::move(channel)) {
  const std::uint32_t lanes = runtime.reactors();
  for (std::uint32_t i = 0; i < lanes; ++i) {
    const std::uint64_t calls = plan_.calls / lanes + (i < plan_.calls % lanes);
    lanes_.push_back(std::make_unique<Lane>(*this, runtime.executor(i), service, i, calls));
  }
}

Load::~Load() {
  Stop();
  if (pacer_.joinable()) pacer_.join();
  channel_.reset();  // ends every call
  while (!finished()) std::this_thread::yield();
}

void Load::Start() {
  const auto lanes = static_cast<std::uint32_t>(lanes_.size());
  busy_ = lanes;
  first_ = Clock::now();
  begin_ = first_ + plan_.warm_up;
  if (plan_.time.count() > 0) end_ = begin_ + plan_.time;
  if (plan_.rate > 0) {
    pacer_ = std::thread([this] { Pace(); });
    return;
  }
  for (std::uint32_t i = 0; i < lanes; ++i) {
    const std::uint32_t callers = plan_.concurrency / lanes + (i < plan_.concurrency % lanes);
    asio::post(lanes_[i]->executor(),
               [lane = lanes_[i].get(), callers] { lane->StartCallers(callers); });
  }
}

void Load::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_pacing_.notify_all();
}

Load::Clock::time_point Load::TimeOf(std::uint64_t number) const noexcept {
  return first_ + std::chrono::nanoseconds(
                      static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / plan_.rate));
}

void Load::Pace() {
  ::prctl(PR_SET_TIMERSLACK, 1);  // nanoseconds; the kernel's own choice is 50 us
  std::uint64_t next = 0;
  std::uint64_t last = UINT64_MAX;
  if (plan_.calls > 0) {
    const double uncounted =
        std::ceil(std::chrono::duration<double>(plan_.warm_up).count() * plan_.rate);
    last = static_cast<std::uint64_t>(uncounted) + plan_.calls;
  }
  while (next < last) {
    const auto now = Clock::now();
    if (stopped_.load(std::memory_order_relaxed) || TimeOf(next) >= end_) break;
    const std::uint64_t first = next;
    while (next < last && TimeOf(next) <= now && TimeOf(next) < end_) ++next;
    if (next > first) {
      for (const auto& lane : lanes_) {
        asio::post(lane->executor(),
                   [lane = lane.get(), first, next] { lane->StartDue(first, next); });
      }
    }
    const auto wake = std::max(TimeOf(next), now + kPace);
    std::unique_lock lock(mutex_);
    stop_pacing_.wait_until(lock, wake, [this] { return stopped_.load(); });
  }
  for (const auto& lane : lanes_) {
    asio::post(lane->executor(), [lane = lane.get()] { lane->EndDue(); });
  }
}

Tally Load::Take() {
  std::vector<std::future<Tally>> parts;
  for (const auto& lane : lanes_) {
    auto taken = std::make_shared<std::promise<Tally>>();
    parts.push_back(taken->get_future());
    asio::post(lane->executor(), [lane = lane.get(), taken] { taken->set_value(lane->Take()); });
  }
  Tally all;
  std::uint64_t in_flight = 0;
  for (auto& part : parts) {
    const Tally one = part.get();
    all.Add(one);
    in_flight += one.in_flight;
  }
  all.in_flight = in_flight;
  return all;
}

}  // namespace weir::tool
