// weir bench: the same call again and again, measured.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "bench_report.h"
#include "commands.h"
#include "stop_signals.h"
#include "text.h"

namespace weir::tool {
namespace {

using Clock = Load::Clock;

// How often signals and the end are looked at.
constexpr std::chrono::milliseconds kGlance{20};
// How long calls in flight may take to end after a signal.
constexpr std::chrono::milliseconds kPatience{500};
// Calls may wait for room on a connection for as long as their deadlines allow.
constexpr std::uint32_t kMaxWaitingCalls = 1'000'000;

double Seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// Once a second a line about that second, on standard error.
class Progress {
 public:
  explicit Progress(bool asked)
      : terminal_(::isatty(STDERR_FILENO) == 1), on_(asked || terminal_) {}

  void Tell(const Load& load, const Tally& tally, double seconds) {
    if (!on_) return;
    const double at = Seconds(Clock::now() - load.begin());
    const std::string line = at <= 0 ? std::string("warming up") : ProgressText(tally, seconds);
    std::fprintf(stderr, terminal_ ? "\r\x1b[K%4.0f s  %s" : "%4.0f s  %s\n", std::max(at, 0.0),
                 line.c_str());
    std::fflush(stderr);
    told_ = true;
  }
  void End() {
    if (terminal_ && told_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  const bool terminal_;
  const bool on_;
  bool told_ = false;
};

// One call, to see that there is something to be measured. A provider that answers with an error
// may be meant to; one that cannot be reached or has no such method is not.
Status TryOnce(const Channel& channel, const PreparedCall& call) {
  const GenericStub stub(channel, call.service->info());
  const auto reply = call.NewReply();
  Status status = stub.Call(call.info(), *call.message, *reply, call.options, call.key);
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnimplemented:
      return status;
    default:
      return {};
  }
}

// Lets the load run to its end, or to a signal; fills in what was measured.
void Watch(Load& load, const StopSignals& stop, const BenchRequest& request,
           const std::string& service, ProviderShares& shares, Measured& measured) {
  Progress progress(request.progress);
  auto told = Clock::now();
  auto stopped = Clock::time_point::max();
  const auto expected = [&] {
    return request.plan.time.count() > 0 ? load.begin() + request.plan.time
                                         : Clock::time_point::max();
  };
  while (!load.finished()) {
    const bool signal = stop.ComesWithin(kGlance);
    const auto now = Clock::now();
    if (signal) {
      if (measured.interrupted) break;  // a second one: at once
      measured.interrupted = true;
      stopped = now;
      load.Stop();
    }
    if (measured.interrupted && now > stopped + kPatience) break;
    if (now - told < std::chrono::seconds(1)) continue;
    const Tally second = load.Take();
    measured.tally.Add(second);
    shares.Update(load.channel().Providers(service));
    progress.Tell(load, second, Seconds(now - std::max(told, load.begin())));
    told = now;
  }
  progress.End();
  measured.tally.Add(load.Take());
  shares.Update(load.channel().Providers(service));
  measured.providers = shares.calls();
  auto end = std::min(expected(), stopped);
  if (end == Clock::time_point::max()) end = load.begin();
  measured.seconds = std::max(0.0, Seconds(std::max(measured.tally.last_end, end) - load.begin()));
}

}  // namespace

int Bench(const BenchRequest& request) {
  const StopSignals stop;
  const Result<PreparedCall> call = Prepare(request.call);
  if (!call.ok()) return Fail(call.status());
  // A reactor without a caller would only be idle.
  const std::uint32_t threads =
      request.plan.rate > 0 ? request.threads : std::min(request.threads, request.plan.concurrency);
  const auto runtime = std::make_shared<Runtime>(
      ThreadOptions{.model = ThreadModel::kMultiReactor, .reactors = threads});
  auto channel = std::make_unique<Channel>(
      call->url, ChannelOptions{.load_balance = request.call.load_balance,
                                .connect_timeout = request.call.timeout,
                                .connections_per_provider = request.connections,
                                .registry_patience = request.call.timeout,
                                .max_waiting_calls = kMaxWaitingCalls,
                                .runtime = runtime});
  if (!channel->status().ok()) return Fail(channel->status());
  if (const Status status = TryOnce(*channel, *call); !status.ok()) return FailCall(status);

  const ServiceInfo& service = call->service->info();
  Measured measured;
  measured.target = call->target;
  measured.method = std::string(call->info().full_name);
  measured.plan = request.plan;
  measured.threads = threads;
  measured.connections = request.connections;
  LoadedCall loaded{.method = &call->info(),
                    .request = call->message->SerializeAsString(),
                    .options = call->options,
                    .key = call->key};
  measured.request_bytes = loaded.request.size();
  {
    Load load(*runtime, std::move(channel), service, std::move(loaded), request.plan);
    ProviderShares shares;
    shares.Begin(load.channel().Providers(service.full_name));
    load.Start();
    Watch(load, stop, request, std::string(service.full_name), shares, measured);
  }
  std::fputs((request.json ? ReportJson(measured, request.histogram)
                           : ReportText(measured, request.histogram))
                 .c_str(),
             stdout);
  if (measured.tally.ok() > 0) return kOk;
  std::fprintf(stderr, "error: no call was answered OK\n");
  return kFailed;
}

}  // namespace weir::tool
