#include "harness/child.h"

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace weir::bench {
namespace {

// In a fresh child: ends with its parent, and keeps to a core.
void Settle(std::optional<int> core) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!core) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(*core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

double Seconds(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// The processes whose group is that of `leader`.
std::vector<pid_t> GroupOf(pid_t leader) {
  std::vector<pid_t> members;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return {leader};
  while (const dirent* entry = readdir(proc)) {
    const char* name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name, name + std::strlen(name), pid);
    if (error == std::errc() && *end == '\0' && getpgid(pid) == leader) members.push_back(pid);
  }
  closedir(proc);
  return members;
}

}  // namespace

ServerProcess::ServerProcess(const std::function<void(const Ready&)>& serve,
                             std::optional<int> core) {
  int ready[2];
  if (pipe(ready) != 0) return;
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    close(ready[0]);
    setpgid(0, 0);
    Settle(core);
    serve([pipe = ready[1]](std::uint16_t port) {
      if (write(pipe, &port, sizeof port) != sizeof port) _exit(1);
    });
    _exit(0);
  }
  if (pid_ > 0) setpgid(pid_, pid_);  // whoever of the two comes first
  close(ready[1]);
  if (pid_ < 0 || read(ready[0], &port_, sizeof port_) != sizeof port_) port_ = 0;
  close(ready[0]);
}

ServerProcess::~ServerProcess() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

double ServerProcess::CpuSeconds() const {
  double seconds = 0;
  for (const pid_t pid : GroupOf(pid_)) {
    clockid_t clock{};
    if (clock_getcpuclockid(pid, &clock) == 0) seconds += Seconds(clock);
  }
  return seconds;
}

std::size_t ServerProcess::ResidentBytes() const {
  std::size_t pages = 0;
  for (const pid_t pid : GroupOf(pid_)) {
    std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
    std::size_t size = 0;
    std::size_t resident = 0;
    if (statm >> size >> resident) pages += resident;
  }
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::optional<Outcome> RunClient(
    const ServerProcess& server,
    const std::function<Measurement(const std::function<void()>& begin)>& drive,
    std::optional<int> core) {
  int result[2];
  if (pipe(result) != 0) return std::nullopt;
  std::fflush(nullptr);
  const pid_t client = fork();
  if (client == 0) {
    close(result[0]);
    Settle(core);
    double server_before = 0;
    double client_before = 0;
    const auto begin = [&] {
      server_before = server.CpuSeconds();
      client_before = Seconds(CLOCK_PROCESS_CPUTIME_ID);
    };
    begin();
    const Measurement measured = drive(begin);
    const double to_us = 1e6 / static_cast<double>(std::max<std::uint64_t>(1, measured.all_calls));
    const Outcome out{static_cast<double>(measured.calls) / measured.seconds,
                      measured.latency.QuantileUs(0.5), measured.latency.QuantileUs(0.99),
                      (server.CpuSeconds() - server_before) * to_us,
                      (Seconds(CLOCK_PROCESS_CPUTIME_ID) - client_before) * to_us};
    _exit(write(result[1], &out, sizeof out) == sizeof out ? 0 : 1);
  }
  close(result[1]);
  Outcome outcome;
  const bool ok = client > 0 && read(result[0], &outcome, sizeof outcome) == sizeof outcome;
  close(result[0]);
  if (client > 0) waitpid(client, nullptr, 0);
  return ok ? std::optional(outcome) : std::nullopt;
}

std::size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = soft;
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t ConnectionsWithin(std::size_t descriptors, std::size_t wanted) {
  constexpr std::size_t kOthers = 256;  // event loops, libraries, the calls that are active
  const std::size_t usable = descriptors / 10 * 8;
  return std::min(wanted, usable > 2 * kOthers ? usable - kOthers : usable / 2);
}

}  // namespace weir::bench
