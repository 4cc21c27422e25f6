#include "threads/work_service.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <future>
#include <memory>
#include <thread>

#include "weir/log.h"
#include "weir/server.h"
#include "work.weir.h"

namespace weir::bench {
namespace {

// Work that no compiler leaves out and that touches no memory (xorshift64, G. Marsaglia 2003).
std::uint64_t Compute(std::uint64_t rounds) {
  std::uint64_t x = rounds | 1;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

class WorkService final : public Work::Service<WorkService> {
 public:
  explicit WorkService(std::uint64_t rounds) : rounds_(rounds) {}

  Result<WorkMessage> Echo(ServerContext&, const WorkMessage& request) { return request; }
  Result<WorkMessage> Sleep(ServerContext&, const WorkMessage& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return request;
  }
  Result<WorkMessage> SleepOnWorker(ServerContext& context, const WorkMessage& request) {
    return Sleep(context, request);
  }
  Result<WorkMessage> Compute(ServerContext&, const WorkMessage& request) {
    if (bench::Compute(rounds_) == 0) return Internal("xorshift has no zero in its cycle");
    return request;
  }

 private:
  const std::uint64_t rounds_;
};

}  // namespace

std::uint64_t RoundsOfHundredMicroseconds() {
  constexpr std::uint64_t kProbe = 1'000'000;
  double best = 1;
  for (int i = 0; i < 5; ++i) {
    const double before = ThreadSeconds();
    if (Compute(kProbe + static_cast<std::uint64_t>(i)) == 0) return 0;
    best = std::min(best, ThreadSeconds() - before);
  }
  return static_cast<std::uint64_t>(1e-4 / best * kProbe);
}

void ServeWork(const ThreadOptions& threads, std::uint64_t compute_rounds,
               const std::function<void(std::uint16_t port)>& ready) {
  SetLogLevel(LogLevel::kError);
  Server server({.threads = threads, .slow_handler = std::chrono::nanoseconds(0)});
  server.Add(std::make_unique<WorkService>(compute_rounds));
  if (const Status status = server.Listen(); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
    return;
  }
  ready(server.port());
  server.Run();  // until it is killed
}

}  // namespace weir::bench
