// A load-balance strategy of one's own, added by name in one line and compared with round_robin
// over three servers, one of which is slow.
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "weir/channel.h"
#include "weir/load_balance.h"
#include "weir/server.h"
#include "work.weir.h"

namespace {

using namespace std::chrono_literals;

// The power of two choices (Mitzenmacher, 1996): of two providers drawn at random, the one with
// fewer calls in flight. Holds no state: everything it needs comes with the call.
weir::Index TwoChoices(const weir::RequestView&, const weir::Snapshot& providers,
                       const weir::PickContext& context) noexcept {
  const weir::Index n = providers.size();
  weir::Index best = weir::kNone;
  for (const std::uint64_t draw : {context.random >> 32, context.random & 0xffff'ffff}) {
    weir::Index one = static_cast<weir::Index>(draw * n >> 32);
    // A retry excludes the providers it has tried: go on to the next.
    for (weir::Index tried = 0; tried < n && weir::IsExcluded(context, one); ++tried) {
      one = (one + 1) % n;
    }
    if (n == 0 || weir::IsExcluded(context, one)) return weir::kNone;
    if (best == weir::kNone || providers.active(one) < providers.active(best)) {
      best = one;
    }
  }
  return best;
}

class WorkerImpl final : public work::Worker::Service<WorkerImpl> {
 public:
  explicit WorkerImpl(std::chrono::milliseconds time) : time_(time) {}

  asio::awaitable<weir::Result<work::Done>> Do(weir::ServerContext&, const work::Task&) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time_);
    co_await timer.async_wait(asio::use_awaitable);
    co_return work::Done();
  }

 private:
  std::chrono::milliseconds time_;
};

// 30 callers make 20 calls each. Returns how many of them failed.
int CallMany(const work::Worker::Stub& worker) {
  int failed = 0;
  asio::io_context io;
  for (int caller = 0; caller < 30; ++caller) {
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
          for (int i = 0; i < 20; ++i) {
            auto done = co_await worker.Do({}, {}, asio::use_awaitable);
            if (!done.ok()) ++failed;
          }
        },
        asio::detached);
  }
  io.run();
  return failed;
}

}  // namespace

int main() {
  weir::LoadBalances().Add("two_choices", {.pick = TwoChoices});

  const std::vector<std::chrono::milliseconds> times = {1ms, 1ms, 20ms};
  int failed = 0;
  for (const std::string strategy : {"round_robin", "two_choices"}) {
    const std::string registry = "mem://" + strategy;
    std::vector<std::unique_ptr<weir::Server>> servers;
    for (const auto time : times) {
      servers.push_back(std::make_unique<weir::Server>());
      servers.back()->Add(std::make_unique<WorkerImpl>(time));
      servers.back()->RegisterAt(registry);
      if (weir::Status status = servers.back()->Start(); !status.ok()) {
        std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
        return 1;
      }
    }
    weir::Channel channel(registry, {.load_balance = strategy});
    failed += CallMany(work::Worker::Stub(channel));
    std::printf("%s:", strategy.c_str());
    for (std::size_t i = 0; i < servers.size(); ++i) {
      std::printf(" %llu (%lld ms each)",
                  static_cast<unsigned long long>(servers[i]->stats().calls_started),
                  static_cast<long long>(times[i].count()));
    }
    std::printf("\n");
  }
  std::printf("%d calls failed\n", failed);
  return failed == 0 ? 0 : 1;
}
