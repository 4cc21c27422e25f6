#include "lab/live_run.h"

#include <algorithm>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lab.weir.h"
#include "lab/live_server.h"
#include "lab/simulation.h"
#include "lab/traffic.h"
#include "weir/channel.h"

namespace weir::lab {
namespace {

constexpr std::uint32_t kMostServers = 32;
constexpr std::uint32_t kMostClients = 100;
// From the first connection to the first call.
constexpr Nanos kSettle = 300'000'000;

// The open loop: makes every call at its time, on the clients' reactor.
class Generator {
 public:
  Generator(const Scenario& scenario, std::uint64_t seed, Runtime& runtime,
            std::vector<Worker::Stub> stubs, Nanos start)
      : scenario_(scenario),
        executor_(runtime.executor()),
        timer_(executor_),
        stubs_(std::move(stubs)),
        traffic_(scenario, seed, start),
        end_(start + scenario.warm_up + scenario.duration),
        recorder_(scenario.server_count(), scenario.deadline, start + scenario.warm_up) {
    for (std::uint32_t key = 0; key < scenario.keys; ++key)
      keys_.push_back("key-" + std::to_string(key));
  }

  void Run() {
    asio::post(executor_, [this] {
      next_ = traffic_.Next();
      CallAllDue();
    });
    done_.get_future().wait();
  }
  Recorder& recorder() noexcept { return recorder_; }

 private:
  void CallAllDue() {
    while (next_.time < end_ && next_.time <= SteadyNow()) {
      Call(next_);
      next_ = traffic_.Next();
    }
    if (next_.time >= end_) {
      all_made_ = true;
      return FinishIfDone();
    }
    timer_.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next_.time)));
    timer_.async_wait([this](const asio::error_code& error) {
      if (!error) CallAllDue();
    });
  }

  void Call(const NewCall& call) {
    ++open_;
    Task task;
    task.set_work_ns(call.work_ns);
    CallOptions options = CallOptions().WithTimeout(std::chrono::nanoseconds(scenario_.deadline));
    if (!keys_.empty()) options = std::move(options).WithKey(keys_[call.key]);
    stubs_[call.client].Do(task, std::move(options),
                           [this, intended = call.time](const Result<Done>& reply) {
                             --open_;
                             recorder_.OnEnd(intended, SteadyNow(), reply.ok());
                             FinishIfDone();
                           });
  }

  void FinishIfDone() {
    if (all_made_ && open_ == 0) done_.set_value();
  }

  const Scenario& scenario_;
  const asio::any_io_executor executor_;
  asio::steady_timer timer_;
  std::vector<Worker::Stub> stubs_;
  Traffic traffic_;
  NewCall next_;
  const Nanos end_;
  Recorder recorder_;
  std::vector<std::string> keys_;
  std::uint64_t open_ = 0;
  bool all_made_ = false;
  std::promise<void> done_;
};

}  // namespace

Status CheckLive(const Scenario& scenario) {
  const std::string what = "scenario " + scenario.name + " cannot run live: ";
  for (const ServerGroup& group : scenario.servers) {
    if (group.starts > 0 || group.stops > 0 || group.restart_every > 0 || group.churn_every > 0) {
      return InvalidArgument(what +
                             "servers that start, stop, restart or churn are simulated only");
    }
  }
  if (scenario.server_count() > kMostServers) {
    return InvalidArgument(what + "more than " + std::to_string(kMostServers) + " servers");
  }
  if (scenario.clients > kMostClients) {
    return InvalidArgument(what + "more than " + std::to_string(kMostClients) + " clients");
  }
  return {};
}

Result<RunResult> RunLive(const Scenario& scenario, const Contestant& contestant,
                          std::uint64_t seed) {
  if (contestant.is_oracle()) return Simulate(scenario, contestant, seed);
  if (Status status = CheckLive(scenario); !status.ok()) return status;
  const auto one_thread = [] {
    return std::make_shared<Runtime>(ThreadOptions{.model = ThreadModel::kSingleReactor});
  };
  const std::shared_ptr<Runtime> servers_runtime = one_thread();
  const std::shared_ptr<Runtime> clients_runtime = one_thread();

  std::vector<std::unique_ptr<LiveServer>> servers;
  std::string url = "list://";
  for (const ServerGroup& group : scenario.servers) {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      Result<std::unique_ptr<LiveServer>> server = LiveServer::Start(
          servers_runtime, static_cast<std::uint32_t>(servers.size()), group, seed);
      if (!server.ok()) return std::move(server).status();
      url +=
          (servers.empty() ? "" : ",") + (*server)->address() + "*" + std::to_string(group.weight);
      servers.push_back(*std::move(server));
    }
  }

  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<Worker::Stub> stubs;
  for (std::uint32_t i = 0; i < scenario.clients; ++i) {
    ChannelOptions options{.load_balance = contestant.name,
                           .max_attempts = scenario.attempts,
                           .max_waiting_calls = 1'000'000,
                           .runtime = clients_runtime};
    // It is the strategies that are compared, here as in the simulator.
    options.outlier_ejection.enabled = false;
    channels.push_back(std::make_unique<Channel>(url, std::move(options)));
    if (!channels.back()->status().ok()) return channels.back()->status();
    stubs.emplace_back(*channels.back());
    const Status ready =
        channels.back()->WaitForProviders("weir.lab.Worker", std::chrono::seconds(5));
    if (!ready.ok()) return ready;
  }
  // Each client calls each server once, so that connections stand when the clock begins.
  Task nothing;
  for (Worker::Stub& stub : stubs) {
    for (const auto& server : servers) {
      const Result<Done> greeted = stub.Do(
          nothing,
          CallOptions().WithProvider(server->address()).WithTimeout(std::chrono::seconds(5)));
      const StatusCode code = greeted.status().code();
      if (code == StatusCode::kUnavailable || code == StatusCode::kDeadlineExceeded) {
        return greeted.status();
      }
    }
  }

  const Nanos start = SteadyNow() + kSettle;
  for (const auto& server : servers) server->Begin(start);
  Generator generator(scenario, seed, *clients_runtime, std::move(stubs), start);
  generator.Run();
  channels.clear();
  for (std::uint32_t i = 0; i < servers.size(); ++i) {
    for (const Nanos arrival : servers[i]->Stop()) {
      if (arrival >= start) generator.recorder().OnPick(i, arrival);
    }
  }
  RunResult result = generator.recorder().Result();
  result.probes_per_call = kNotMeasured;
  return result;
}

}  // namespace weir::lab
