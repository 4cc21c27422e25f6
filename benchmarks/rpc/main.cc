// bench-rpc: weir's echo against plain epoll, plain Asio, gRPC and Thrift in the same run,
// interleaved; and what an idle connection costs each of them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/arguments.h"
#include "harness/child.h"
#include "harness/results.h"
#include "harness/tcp_settings.h"
#include "rpc/contestant.h"
#include "rpc/report.h"

namespace weir::bench {
namespace {

struct Arguments : CommonArguments {
  std::string contestants;
  std::string pinning = "pinned";
  std::string chart_path;
  std::string congestion = "cubic";
  std::size_t idle_connections = 10'000;
};

bool Failed(const Entry& entry, const std::string& case_name) {
  std::fprintf(stderr, "error: %s failed in %s; its own words, if any, stand above\n",
               entry.name.c_str(), case_name.c_str());
  return false;
}

void AddAbsent(Results& results, const std::string& case_name, const Entry& entry,
               const std::string& pinning) {
  results.Add({case_name, entry.name, "absent", 1, pinning, entry.absent});
}

bool MeasureWorkload(const Workload& workload, const std::string& pinning,
                     const std::vector<Entry>& entries, const Arguments& arguments,
                     Results& results) {
  const bool pinned = pinning == "pinned";
  const auto time = std::chrono::nanoseconds(static_cast<std::int64_t>(arguments.seconds * 1e9));
  std::map<std::string, std::vector<Outcome>> outcomes;
  for (int run = 0; run < arguments.runs; ++run) {
    for (const Entry& entry : entries) {
      if (!entry.takes_part(workload) || !entry.absent.empty()) continue;
      const std::unique_ptr<Contestant> contestant = entry.make();
      const ServerProcess server([&](const auto& ready) { contestant->Serve(ready); },
                                 pinned ? std::optional(0) : std::nullopt);
      if (server.port() == 0) return Failed(entry, workload.name);
      const std::optional<Outcome> outcome = RunClient(
          server,
          [&](const auto&) { return contestant->Drive(server.port(), workload, time / 5, time); },
          pinned ? std::optional(1) : std::nullopt);
      if (!outcome) return Failed(entry, workload.name);
      outcomes[entry.name].push_back(*outcome);
    }
  }
  for (const Entry& entry : entries) {
    if (!entry.takes_part(workload)) continue;
    if (!entry.absent.empty()) {
      AddAbsent(results, workload.name, entry, pinning);
      continue;
    }
    const Outcome outcome = Median(outcomes[entry.name]);
    AddOutcome(results, workload.name, entry.name, pinning, outcome);
    results.Add({workload.name, entry.name, "mb_per_s",
                 outcome.calls_per_s * static_cast<double>(workload.payload_bytes) / 1e6, pinning,
                 ""});
  }
  return true;
}

// What the server's memory grows by, after the first connections have brought what it needs once.
std::optional<double> IdleBytes(Contestant& contestant, std::size_t connections) {
  const ServerProcess server([&](const auto& ready) { contestant.Serve(ready); }, std::nullopt);
  if (server.port() == 0) return std::nullopt;
  IdleConnections idle(contestant.IdleHello());
  if (!idle.Open(server.port(), std::min<std::size_t>(64, connections))) return std::nullopt;
  const std::size_t before = server.ResidentBytes();
  if (!idle.Open(server.port(), connections)) return std::nullopt;
  const std::size_t after = server.ResidentBytes();
  return (static_cast<double>(after) - static_cast<double>(before)) /
         static_cast<double>(connections);
}

bool MeasureIdle(const std::vector<Entry>& entries, std::size_t connections, int runs,
                 Results& results) {
  std::map<std::string, std::vector<double>> bytes;
  for (int run = 0; run < runs; ++run) {
    for (const Entry& entry : entries) {
      if (!entry.idle || !entry.absent.empty()) continue;
      const std::unique_ptr<Contestant> contestant = entry.make();
      const std::optional<double> found = IdleBytes(*contestant, connections);
      if (!found) return Failed(entry, kIdleCase);
      bytes[entry.name].push_back(*found);
    }
  }
  for (const Entry& entry : entries) {
    if (!entry.idle) continue;
    if (!entry.absent.empty()) {
      AddAbsent(results, kIdleCase, entry, "");
      continue;
    }
    results.Add({kIdleCase, entry.name, "bytes", Median(bytes[entry.name]), "", ""});
    results.Add({kIdleCase, entry.name, "connections", static_cast<double>(connections), "", ""});
  }
  return true;
}

// How many connections the idle case can have; said on standard error if fewer than wanted.
std::size_t IdleConnectionsWithinLimits(std::size_t wanted) {
  const std::size_t descriptors = RaiseDescriptorLimit();
  const std::size_t count = ConnectionsWithin(descriptors, wanted);
  if (count < wanted) {
    std::fprintf(stderr,
                 "note: %zu idle connections instead of %zu: a process may have %zu descriptors; "
                 "raise the hard limit (ulimit -Hn) for more\n",
                 count, wanted, descriptors);
  }
  return count;
}

// The contestants that were asked for. False after a line on standard error.
bool ChooseEntries(const std::string& list, std::vector<Entry>* chosen) {
  std::vector<std::string> known;
  for (const Entry& entry : Entries()) known.push_back(entry.name);
  std::vector<std::string> names;
  if (!Choose("--contestants", list, known, &names)) return false;
  bool one_is_there = false;
  for (const Entry& entry : Entries()) {
    if (std::find(names.begin(), names.end(), entry.name) == names.end()) continue;
    chosen->push_back(entry);
    one_is_there = one_is_there || entry.absent.empty();
  }
  if (!one_is_there) {
    std::fprintf(stderr, "error: --contestants: %s is absent (%s); name one that is there\n",
                 chosen->front().name.c_str(), chosen->front().absent.c_str());
  }
  return one_is_there;
}

void NameAbsent(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries) {
    if (entry.absent.empty()) continue;
    std::fprintf(
        stderr,
        "note: %s is absent (%s); to have it: scripts/bootstrap.sh --benchmarks, then "
        "configure with WEIR_BENCH_WITH_GRPC=ON and WEIR_BENCH_WITH_THRIFT=ON, and build\n",
        entry.name.c_str(), entry.absent.c_str());
  }
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{
      "Measures echo calls of weir, plain epoll, plain Asio, gRPC and Thrift: server and client in "
      "processes of their own, one thread each, interleaved; medians of all runs.\n"
      "Cases: W1 W2 W2b W3 W4 W5, and idle, the memory of the server for an idle connection.",
      "bench-rpc"};
  AddCommonArguments(app, arguments);
  app.add_option("--contestants", arguments.contestants,
                 "These alone, separated by commas: bare_epoll bare_asio weir weir_attachment "
                 "weir_blocking grpc thrift");
  app.add_option("--pinning", arguments.pinning,
                 "pinned: server on core 0, client on core 1; unpinned: wherever the kernel likes; "
                 "both: one after the other")
      ->check(CLI::IsMember({"pinned", "unpinned", "both"}))
      ->capture_default_str();
  app.add_option("--chart", arguments.chart_path, "Also draw the figures into this SVG file");
  app.add_option("--idle-connections", arguments.idle_connections,
                 "Connections of the idle case, if the limit of descriptors allows")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--congestion", arguments.congestion,
                 "TCP congestion control of all sockets of all contestants")
      ->capture_default_str();
  if (const int code = Parse(app, argc, argv); code >= 0) return code;

  std::vector<std::string> known;
  for (const Workload& workload : Workloads()) known.push_back(workload.name);
  known.push_back(kIdleCase);
  std::vector<std::string> cases;
  std::vector<Entry> entries;
  if (!Choose("--only", arguments.only, known, &cases) ||
      !ChooseEntries(arguments.contestants, &entries) || !CanWrite(arguments.json_path) ||
      !CanWrite(arguments.chart_path)) {
    return 2;
  }
  NameAbsent(entries);
  if (!SetCongestionControl(arguments.congestion)) {
    std::fprintf(stderr, "note: the kernel has no congestion control '%s'; its default is used\n",
                 arguments.congestion.c_str());
  }
  std::vector<std::string> pinnings = {arguments.pinning};
  if (arguments.pinning == "both") pinnings = {"pinned", "unpinned"};
  if (pinnings[0] == "pinned" && sysconf(_SC_NPROCESSORS_ONLN) < 2) {
    std::fputs("note: there is one core, so nothing is pinned\n", stderr);
    pinnings = {"unpinned"};
  }

  Results results;
  bool ok = true;
  std::size_t idle_connections = 0;
  const auto chosen = [&](const std::string& name) {
    return std::find(cases.begin(), cases.end(), name) != cases.end();
  };
  if (cases.size() > 1 || !chosen(kIdleCase)) PrintHeader();
  for (const Workload& workload : Workloads()) {
    for (const std::string& pinning : pinnings) {
      if (!ok || !chosen(workload.name)) continue;
      ok = MeasureWorkload(workload, pinning, entries, arguments, results);
      if (ok) PrintWorkload(results, workload, pinning, entries);
    }
  }
  if (ok && chosen(kIdleCase)) {
    idle_connections = IdleConnectionsWithinLimits(arguments.idle_connections);
    ok = MeasureIdle(entries, idle_connections, arguments.runs, results);
    if (ok) PrintIdle(results, idle_connections, entries);
  }
  // What was measured before a failure is kept.
  ok = WriteFile(arguments.json_path, results.ToJson()) && ok;
  if (!arguments.chart_path.empty()) {
    ok = WriteFile(arguments.chart_path,
                   DrawChart(results, entries, idle_connections, CommandLine(argc, argv))) &&
         ok;
  }
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  return weir::bench::Main(argc, argv);
}
