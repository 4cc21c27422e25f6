// bench-rpc: weir's echo against plain epoll and plain Asio echoes, in the same run, interleaved.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "contestant.h"

namespace weir::bench {
namespace {

const std::vector<Workload> kWorkloads = {
    {"W1", 1, 1, 16},   {"W2", 1, 64, 16},       {"W2b", 1, 64, 1024},
    {"W3", 32, 16, 16}, {"W4", 1, 8, 64u << 10}, {"W5", 1, 4, 1u << 20},
};

// From here on what counts is bytes per second.
constexpr std::size_t kLarge = 64u << 10;

void Pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

double CpuSeconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Outcome {
  double calls_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
  double server_cpu_us = 0;
  double client_cpu_us = 0;
};

int g_ready_pipe = -1;

// Runs server and client in processes of their own.
bool RunOnce(Contestant& contestant, const Workload& workload, double seconds, bool pinned,
             Outcome* outcome) {
  int ready[2];
  int result[2];
  if (pipe(ready) != 0 || pipe(result) != 0) return false;
  const pid_t server = fork();
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pinned) Pin(0);
    g_ready_pipe = ready[1];
    contestant.Serve(0, [](std::uint16_t port) {
      if (write(g_ready_pipe, &port, sizeof port) != sizeof port) _exit(1);
    });
    _exit(0);
  }
  close(ready[1]);
  std::uint16_t port = 0;
  bool ok = read(ready[0], &port, sizeof port) == sizeof port;
  close(ready[0]);
  const pid_t client = ok ? fork() : -1;
  if (client == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pinned) Pin(1);
    clockid_t server_clock;
    clock_getcpuclockid(server, &server_clock);
    const auto time = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    // The CPU time of both sides covers warm-up too: it is divided by all calls of that time.
    const double server_before = CpuSeconds(server_clock);
    const double client_before = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
    const Measurement measured = contestant.Drive(port, workload, time / 5, time);
    const double share = 1.0 / 1.2;  // of the CPU time that fell into the measured part
    const auto calls = static_cast<double>(std::max<std::uint64_t>(1, measured.calls));
    const double to_us = 1e6 * share / calls;
    const Outcome out{static_cast<double>(measured.calls) / measured.seconds,
                      measured.latency.QuantileUs(0.5), measured.latency.QuantileUs(0.99),
                      (CpuSeconds(server_clock) - server_before) * to_us,
                      (CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - client_before) * to_us};
    _exit(write(result[1], &out, sizeof out) == sizeof out ? 0 : 1);
  }
  close(result[1]);
  ok = client > 0 && read(result[0], outcome, sizeof *outcome) == sizeof *outcome;
  close(result[0]);
  if (client > 0) waitpid(client, nullptr, 0);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return ok;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  int runs = 3;
  double seconds = 1.0;
  std::string only;
  std::string json_path;
  bool unpinned = false;
  CLI::App app{
      "Measures weir's echo against plain epoll and plain Asio echoes: server and client in "
      "processes of their own, one thread each, interleaved; medians of all runs."};
  app.add_option("--runs", runs, "How often each case is run")->check(CLI::Range(1, 1000));
  app.add_option("--seconds", seconds, "How long each run measures")->check(CLI::Range(0.1, 600.0));
  app.add_option("--only", only, "One case alone: W1, W2, W2b, W3, W4 or W5");
  app.add_option("--json", json_path, "Also write the figures to this file");
  app.add_flag("--unpinned", unpinned, "Do not bind server and client to a core each");
  CLI11_PARSE(app, argc, argv);
  if (!only.empty() && std::none_of(kWorkloads.begin(), kWorkloads.end(),
                                    [&](const Workload& w) { return w.name == only; })) {
    std::fprintf(stderr, "error: --only %s: no such case; there are W1, W2, W2b, W3, W4 and W5\n",
                 only.c_str());
    return 2;
  }
  const bool pinned = !unpinned && sysconf(_SC_NPROCESSORS_ONLN) > 1;

  nlohmann::json rows = nlohmann::json::array();
  std::printf("%-5s %-16s %12s %9s %7s %9s %9s %11s %11s\n", "case", "contestant", "calls/s",
              "MB/s", "ratio", "p50 us", "p99 us", "server us", "client us");
  for (const Workload& workload : kWorkloads) {
    if (!only.empty() && workload.name != only) continue;
    std::vector<std::unique_ptr<Contestant>> contestants;
    contestants.push_back(MakeBareEpoll());
    contestants.push_back(MakeBareAsio());
    contestants.push_back(MakeWeir());
    if (workload.payload_bytes >= kLarge) contestants.push_back(MakeWeirAttachment());
    if (workload.in_flight == 1) contestants.push_back(MakeWeirBlocking());
    std::map<std::string, std::vector<Outcome>> outcomes;
    for (int run = 0; run < runs; ++run) {
      for (const auto& contestant : contestants) {
        Outcome outcome;
        if (!RunOnce(*contestant, workload, seconds, pinned, &outcome)) {
          std::fprintf(stderr, "error: %s failed in %s\n", contestant->name().c_str(),
                       workload.name.c_str());
          return 1;
        }
        outcomes[contestant->name()].push_back(outcome);
      }
    }
    const auto median = [&](const std::string& name, double Outcome::*field) {
      std::vector<double> values;
      for (const Outcome& outcome : outcomes[name]) values.push_back(outcome.*field);
      return Median(std::move(values));
    };
    const double bare = median("bare_epoll", &Outcome::calls_per_s);
    for (const auto& contestant : contestants) {
      const std::string name = contestant->name();
      const double rate = median(name, &Outcome::calls_per_s);
      const double mb_per_s = rate * static_cast<double>(workload.payload_bytes) / 1e6;
      std::printf("%-5s %-16s %12.0f %9.0f %7.2f %9.1f %9.1f %11.2f %11.2f\n",
                  workload.name.c_str(), name.c_str(), rate, mb_per_s, rate / bare,
                  median(name, &Outcome::p50_us), median(name, &Outcome::p99_us),
                  median(name, &Outcome::server_cpu_us), median(name, &Outcome::client_cpu_us));
      rows.push_back({{"case", workload.name},
                      {"contestant", name},
                      {"metric", "mb_per_s"},
                      {"value", mb_per_s}});
      const std::vector<std::pair<const char*, double Outcome::*>> metrics = {
          {"calls_per_s", &Outcome::calls_per_s},
          {"p50_us", &Outcome::p50_us},
          {"p99_us", &Outcome::p99_us},
          {"server_cpu_us", &Outcome::server_cpu_us},
          {"client_cpu_us", &Outcome::client_cpu_us}};
      for (const auto& [metric, field] : metrics) {
        rows.push_back({{"case", workload.name},
                        {"contestant", name},
                        {"metric", metric},
                        {"value", median(name, field)}});
      }
    }
    std::fflush(stdout);
  }
  if (!json_path.empty()) {
    std::ofstream file(json_path);
    file << rows.dump(2) << "\n";
    if (!file.flush()) {
      std::fprintf(stderr, "error: cannot write %s\n", json_path.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::Main(argc, argv);
}
