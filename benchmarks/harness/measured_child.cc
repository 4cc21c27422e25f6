#include "harness/measured_child.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sstream>

namespace weir::bench {
namespace {

// Written and read by one thread and its signal handler.
volatile std::sig_atomic_t g_interrupted = 0;
volatile pid_t g_child = -1;

void OnSignal(int) {
  g_interrupted = 1;
  if (g_child > 0) kill(g_child, SIGKILL);
}

void HandleSignals(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

[[noreturn]] void RunChild(const std::function<void(Figures&)>& measure, int pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  HandleSignals(SIG_DFL);
  Figures figures;
  measure(figures);
  std::string text;
  for (const auto& [name, value] : figures) {
    char number[64];
    std::snprintf(number, sizeof number, " %.17g\n", value);
    text.append(name).append(number);
  }
  text += "end\n";  // a child that dies has not said it
  std::fflush(nullptr);
  for (std::string_view left = text; !left.empty();) {
    const ssize_t n = write(pipe, left.data(), left.size());
    if (n <= 0) _exit(1);
    left.remove_prefix(static_cast<std::size_t>(n));
  }
  _exit(0);
}

}  // namespace

std::optional<Figures> MeasureInChild(const std::function<void(Figures&)>& measure) {
  HandleSignals(OnSignal);
  int ends[2];
  if (g_interrupted != 0 || pipe(ends) != 0) return std::nullopt;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    RunChild(measure, ends[1]);
  }
  g_child = child;
  if (child > 0 && g_interrupted != 0) kill(child, SIGKILL);  // it came before g_child was set
  close(ends[1]);
  std::string text;
  std::array<char, 4096> bytes;
  while (child > 0) {
    const ssize_t n = read(ends[0], bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(n));
  }
  close(ends[0]);
  if (child > 0) {
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  g_child = -1;
  Figures figures;
  std::istringstream lines(text);
  std::string name;
  for (double value = 0; lines >> name && name != "end";) {
    if (!(lines >> value)) return std::nullopt;
    figures[name] = value;
  }
  return name == "end" ? std::optional(figures) : std::nullopt;
}

bool Interrupted() noexcept {
  return g_interrupted != 0;
}

}  // namespace weir::bench
