// bench-threads: a server of every thread model under fast handlers, handlers that block, handlers
// that compute, and ten thousand connections.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/arguments.h"
#include "harness/child.h"
#include "harness/results.h"
#include "harness/tcp_settings.h"
#include "threads/work_client.h"
#include "threads/work_service.h"
#include "weir/runtime.h"

namespace weir::bench {
namespace {

const std::vector<WorkCase> kCases = {
    {"fast", "echo, 16 calls at once on each of 32 connections", WorkMethod::kEcho, 32, 16},
    {"blocking", "a plain handler that sleeps 1 ms, 64 callers", WorkMethod::kSleep, 64, 1},
    {"blocking_marked", "the same marked (weir.blocking)", WorkMethod::kSleepOnWorker, 64, 1},
    {"cpu", "a handler that computes for 100 us, 16 callers", WorkMethod::kCompute, 16, 1},
    {"connections", "echo, 64 callers beside 10,000 idle connections", WorkMethod::kEcho, 64, 1,
     true},
};

struct Arguments : CommonArguments {
  std::string models;
  std::size_t idle_connections = 10'000;
  ThreadOptions threads;
};

std::optional<Outcome> RunOnce(const WorkCase& work, ThreadModel model, std::uint64_t rounds,
                               const Arguments& arguments, std::size_t idle) {
  ThreadOptions threads = arguments.threads;
  threads.model = model;
  const ServerProcess server([&](const auto& ready) { ServeWork(threads, rounds, ready); },
                             std::nullopt);
  if (server.port() == 0) return std::nullopt;
  const auto time = std::chrono::nanoseconds(static_cast<std::int64_t>(arguments.seconds * 1e9));
  return RunClient(
      server,
      [&](const auto& begin) {
        return DriveWork(server.port(), work, idle, begin, time / 5, time);
      },
      std::nullopt);
}

bool Measure(const WorkCase& work, const std::vector<ThreadModel>& models, std::uint64_t rounds,
             const Arguments& arguments, std::size_t idle, Results& results) {
  std::map<ThreadModel, std::vector<Outcome>> outcomes;
  for (int run = 0; run < arguments.runs; ++run) {
    for (const ThreadModel model : models) {
      const std::optional<Outcome> outcome = RunOnce(work, model, rounds, arguments, idle);
      if (!outcome) {
        std::fprintf(stderr, "error: %s failed in %s; its own words, if any, stand above\n",
                     std::string(ThreadModelName(model)).c_str(), work.name.c_str());
        return false;
      }
      outcomes[model].push_back(*outcome);
    }
  }
  for (const ThreadModel model : models) {
    const std::string name(ThreadModelName(model));
    const Outcome outcome = Median(outcomes[model]);
    AddOutcome(results, work.name, name, "", outcome);
    std::printf("%-16s %-24s %11.0f %10.1f %10.1f %10.2f %10.2f\n", work.name.c_str(), name.c_str(),
                outcome.calls_per_s, outcome.p50_us, outcome.p99_us, outcome.server_cpu_us,
                outcome.client_cpu_us);
  }
  std::fflush(stdout);
  return true;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  std::string description =
      "Measures a server of every thread model: server and client in processes of their own, the "
      "client on one thread, nothing pinned, interleaved; medians of all runs.\nCases:";
  std::vector<std::string> case_names;
  for (const WorkCase& work : kCases) {
    case_names.push_back(work.name);
    description += "\n  " + work.name + ": " + work.what;
  }
  std::vector<std::string> model_names;
  for (const ThreadModel model : AllThreadModels())
    model_names.emplace_back(ThreadModelName(model));
  CLI::App app{description, "bench-threads"};
  AddCommonArguments(app, arguments);
  app.add_option("--models", arguments.models, "These thread models alone, separated by commas");
  app.add_option("--reactors", arguments.threads.reactors,
                 "Reactor threads or processes of the models that have several; 0: one per core")
      ->capture_default_str();
  app.add_option("--workers", arguments.threads.workers, "Worker threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--idle-connections", arguments.idle_connections,
                 "Idle connections of the case connections, if the limit of descriptors allows")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  if (const int code = Parse(app, argc, argv); code >= 0) return code;
  std::vector<std::string> cases;
  std::vector<std::string> chosen_models;
  if (!Choose("--only", arguments.only, case_names, &cases) ||
      !Choose("--models", arguments.models, model_names, &chosen_models) ||
      !CanWrite(arguments.json_path)) {
    return 2;
  }
  std::vector<ThreadModel> models;
  for (const std::string& name : chosen_models) models.push_back(*ParseThreadModel(name));

  const std::size_t descriptors = RaiseDescriptorLimit();
  const std::size_t idle = ConnectionsWithin(descriptors, arguments.idle_connections);
  SetCongestionControl("cubic");
  const std::uint64_t rounds = RoundsOfHundredMicroseconds();
  Results results;
  bool ok = true;
  std::printf("%-16s %-24s %11s %10s %10s %10s %10s\n", "case", "model", "calls/s", "p50 us",
              "p99 us", "server us", "client us");
  for (const WorkCase& work : kCases) {
    if (!ok || std::find(cases.begin(), cases.end(), work.name) == cases.end()) continue;
    if (work.with_idle_connections && idle < arguments.idle_connections) {
      std::fprintf(stderr,
                   "note: %zu idle connections instead of %zu: a process may have %zu descriptors; "
                   "raise the hard limit (ulimit -Hn) for more\n",
                   idle, arguments.idle_connections, descriptors);
    }
    ok = Measure(work, models, rounds, arguments, work.with_idle_connections ? idle : 0, results);
  }
  return WriteFile(arguments.json_path, results.ToJson()) && ok ? 0 : 1;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::Main(argc, argv);
}
