#include "rpc/report.h"

#include <cstdio>
#include <utility>

#include "harness/chart.h"

namespace weir::bench {
namespace {

constexpr char kLimit[] = "bare_epoll";

// From here on what counts is bytes per second.
constexpr std::size_t kLarge = 64u << 10;

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// 1234567 as 1,234,567.
std::string Grouped(double value) {
  std::string text = Format("%.0f", value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string Title(const Workload& workload) {
  const std::string calls = std::to_string(workload.in_flight) + " in flight";
  const std::string bytes =
      workload.payload_bytes >= (1u << 20) ? std::to_string(workload.payload_bytes >> 20) + " MiB"
      : workload.payload_bytes >= 1024     ? std::to_string(workload.payload_bytes >> 10) + " KiB"
                                           : std::to_string(workload.payload_bytes) + " B";
  return workload.name + ": " + std::to_string(workload.connections) +
         (workload.connections == 1 ? " connection, " : " connections, ") + calls + ", " + bytes;
}

void PrintAbsent(const char* case_name, const char* pinning, const Entry& entry) {
  std::printf("%-5s %-9s %-16s absent (%s)\n", case_name, pinning, entry.name.c_str(),
              entry.absent.c_str());
}

Panel RatiosOf(const Results& results, const std::vector<Entry>& entries,
               const std::string& pinning) {
  Panel panel;
  panel.title =
      pinning == "pinned" ? "Server and client on a core each" : "Cores left to the kernel";
  bool has_ratios = true;
  for (const Workload& workload : Workloads()) {
    const double* bare = results.Find(workload.name, kLimit, "calls_per_s", pinning);
    BarGroup group{Title(workload), {}};
    for (const Entry& entry : entries) {
      const double* rate = results.Find(workload.name, entry.name, "calls_per_s", pinning);
      if (rate == nullptr) continue;
      has_ratios = has_ratios && bare != nullptr;
      const std::string figure =
          workload.payload_bytes >= kLarge
              ? Grouped(*results.Find(workload.name, entry.name, "mb_per_s", pinning)) + " MB/s"
              : Grouped(*rate) + " calls/s";
      const double ratio = bare == nullptr ? 0 : *rate / *bare;
      group.bars.push_back(
          {entry.name, bare == nullptr ? *rate : ratio,
           bare == nullptr ? figure : Format("%.3g", ratio) + " (" + figure + ")"});
    }
    if (!group.bars.empty()) panel.groups.push_back(std::move(group));
  }
  panel.axis = has_ratios ? "calls per second, bare epoll = 1" : "calls per second";
  return panel;
}

Panel IdleOf(const Results& results, const std::vector<Entry>& entries, std::size_t connections) {
  BarGroup group{Grouped(static_cast<double>(connections)) + " connections", {}};
  for (const Entry& entry : entries) {
    const double* bytes = results.Find(kIdleCase, entry.name, "bytes", "");
    if (bytes != nullptr) group.bars.push_back({entry.name, *bytes, Grouped(*bytes) + " B"});
  }
  return {"Memory of the server for an idle connection", "resident bytes", {std::move(group)}};
}

}  // namespace

const std::vector<Workload>& Workloads() {
  static const std::vector<Workload> workloads = {
      {"W1", 1, 1, 16},   {"W2", 1, 64, 16},       {"W2b", 1, 64, 1024},
      {"W3", 32, 16, 16}, {"W4", 1, 8, 64u << 10}, {"W5", 1, 4, 1u << 20},
  };
  return workloads;
}

void PrintHeader() {
  std::printf("%-5s %-9s %-16s %11s %8s %7s %9s %9s %10s %10s\n", "case", "pinning", "contestant",
              "calls/s", "MB/s", "ratio", "p50 us", "p99 us", "server us", "client us");
}

void PrintWorkload(const Results& results, const Workload& workload, const std::string& pinning,
                   const std::vector<Entry>& entries) {
  const double* bare = results.Find(workload.name, kLimit, "calls_per_s", pinning);
  for (const Entry& entry : entries) {
    if (!entry.takes_part(workload)) continue;
    if (!entry.absent.empty()) {
      PrintAbsent(workload.name.c_str(), pinning.c_str(), entry);
      continue;
    }
    const auto figure = [&](const char* metric) {
      const double* value = results.Find(workload.name, entry.name, metric, pinning);
      return value == nullptr ? 0 : *value;
    };
    const double rate = figure("calls_per_s");
    const std::string ratio = bare == nullptr || *bare <= 0 ? "-" : Format("%.3f", rate / *bare);
    std::printf("%-5s %-9s %-16s %11.0f %8.0f %7s %9.1f %9.1f %10.2f %10.2f\n",
                workload.name.c_str(), pinning.c_str(), entry.name.c_str(), rate,
                figure("mb_per_s"), ratio.c_str(), figure("p50_us"), figure("p99_us"),
                figure("server_cpu_us"), figure("client_cpu_us"));
  }
  std::fflush(stdout);
}

void PrintIdle(const Results& results, std::size_t connections, const std::vector<Entry>& entries) {
  std::printf("\nresident bytes of the server for each of %zu idle connections\n", connections);
  for (const Entry& entry : entries) {
    if (!entry.idle) continue;
    if (!entry.absent.empty()) {
      PrintAbsent(kIdleCase, "-", entry);
      continue;
    }
    const double* bytes = results.Find(kIdleCase, entry.name, "bytes", "");
    std::printf("%-5s %-9s %-16s %11.0f\n", kIdleCase, "-", entry.name.c_str(),
                bytes == nullptr ? 0 : *bytes);
  }
  std::fflush(stdout);
}

std::string DrawChart(const Results& results, const std::vector<Entry>& entries,
                      std::size_t idle_connections, const std::string& command) {
  std::vector<std::string> names;
  for (const Entry& entry : Entries()) names.push_back(entry.name);
  Chart chart{
      "weir beside bare sockets and its peers: echo calls",
      std::move(names),
      {RatiosOf(results, entries, "pinned"), RatiosOf(results, entries, "unpinned"),
       IdleOf(results, entries, idle_connections)},
      {"One thread a side. Longer is better on the calls, shorter on the memory. Made by: " +
       command}};
  for (const Entry& entry : entries) {
    if (!entry.absent.empty()) {
      chart.notes.push_back(entry.name + " is absent: " + entry.absent);
    }
  }
  return ToSvg(chart);
}

}  // namespace weir::bench
