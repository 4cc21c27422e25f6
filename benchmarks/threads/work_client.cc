#include "threads/work_client.h"

#include <asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include "harness/idle_connections.h"
#include "weir/channel.h"
#include "weir/log.h"
#include "work.weir.h"

namespace weir::bench {
namespace {

// Calls again and again: each answer starts the next call, on the reactor.
class Caller {
 public:
  Caller(Work::Stub stub, WorkMethod method, Window& window, std::function<void()> done)
      : stub_(std::move(stub)), method_(method), window_(window), done_(std::move(done)) {
    request_.set_payload(std::string(16, 'x'));
  }
  void Next() {
    started_ = Window::Clock::now();
    auto answered = [this](const Result<WorkMessage>& reply) { Answered(reply); };
    CallOptions options = CallOptions().WithTimeout(std::chrono::seconds(60));
    switch (method_) {
      case WorkMethod::kEcho:
        return stub_.Echo(request_, std::move(options), answered);
      case WorkMethod::kSleep:
        return stub_.Sleep(request_, std::move(options), answered);
      case WorkMethod::kSleepOnWorker:
        return stub_.SleepOnWorker(request_, std::move(options), answered);
      case WorkMethod::kCompute:
        return stub_.Compute(request_, std::move(options), answered);
    }
  }

 private:
  void Answered(const Result<WorkMessage>& reply) {
    if (!reply.ok()) {
      std::fprintf(stderr, "error: %s\n", reply.status().ToString().c_str());
      std::_Exit(1);
    }
    if (window_.Count(started_, Window::Clock::now())) {
      Next();
    } else {
      done_();
    }
  }

  Work::Stub stub_;
  const WorkMethod method_;
  WorkMessage request_;
  Window& window_;
  const std::function<void()> done_;
  Window::Clock::time_point started_;
};

}  // namespace

Measurement DriveWork(std::uint16_t port, const WorkCase& work, std::size_t idle,
                      const std::function<void()>& begin, std::chrono::nanoseconds warm_up,
                      std::chrono::nanoseconds time) {
  SetLogLevel(LogLevel::kError);
  WorkMessage message;
  message.set_payload(std::string(16, 'x'));
  IdleConnections silent(WeirHello("weir.bench.Work/Echo", message.SerializeAsString()));
  if (!silent.Open(port, idle)) std::_Exit(1);
  begin();
  const auto runtime =
      std::make_shared<Runtime>(ThreadOptions{.model = ThreadModel::kSingleReactor});
  const std::string url = "list://127.0.0.1:" + std::to_string(port);
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<std::unique_ptr<Caller>> callers;
  Window window(warm_up, time);
  std::promise<void> all_done;
  std::size_t left = std::size_t{work.connections} * work.in_flight;
  for (std::uint32_t c = 0; c < work.connections; ++c) {
    channels.push_back(std::make_unique<Channel>(url, ChannelOptions{.runtime = runtime}));
    for (std::uint32_t i = 0; i < work.in_flight; ++i) {
      callers.push_back(
          std::make_unique<Caller>(Work::Stub(*channels.back()), work.method, window, [&] {
            if (--left == 0) all_done.set_value();
          }));
    }
  }
  asio::post(runtime->executor(), [&] {
    for (const auto& caller : callers) caller->Next();
  });
  all_done.get_future().wait();
  return window.Result();
}

}  // namespace weir::bench
