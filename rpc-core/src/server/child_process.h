// ChildProcess: a forked child that reports once, when it is ready or cannot be.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weir/status.h"

namespace weir {

// What a child says to its parent. Destroyed unsaid, the parent learns nothing.
class ChildReport {
 public:
  explicit ChildReport(int pipe) noexcept : pipe_(pipe) {}
  void Ready(const std::vector<std::string>& lines);
  void Failed(const Status& status);

 private:
  void Say(char kind, const std::string& text);
  int pipe_;
};

// The parent's side. A value of its only thread; the parent reaps what it starts.
class ChildProcess {
 public:
  using Clock = std::chrono::steady_clock;
  // Runs in the child; its result is the exit code.
  using Main = std::function<int(ChildReport report)>;

  // Forks. The child has SIGTERM blocked, for WaitForSigterm, and pending when the parent dies;
  // SIGINT and SIGHUP, which a terminal sends to all, are the parent's alone. It closes the
  // descriptors in `unwanted`.
  static Result<ChildProcess> Start(const Main& main, const std::vector<int>& unwanted);

  ChildProcess() = default;  // none
  explicit operator bool() const noexcept { return pid_ > 0; }
  pid_t pid() const noexcept { return pid_; }
  int pipe() const noexcept { return pipe_; }  // readable when there is news; -1: all is said
  bool ready() const noexcept { return ready_; }
  // What a ready child said, by lines, or why it cannot be ready; empty if it did not say.
  const std::vector<std::string>& lines() const noexcept { return lines_; }
  const std::string& failure() const noexcept { return failure_; }
  Clock::time_point since() const noexcept { return since_; }  // it is ready, or else was started

  // Reads what it says. True if that is complete now.
  bool Listen();
  void Signal(int signal) const;
  // How it ended, "ended with exit code 1" or "was killed by signal 9"; nothing while it runs.
  // After that it is none.
  std::optional<std::string> Reap(bool* in_order);

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  bool ready_ = false;
  std::string said_;
  std::vector<std::string> lines_;
  std::string failure_;
  Clock::time_point since_{};
};

// In a child: waits for SIGTERM, of the parent or because it died. True in the latter case.
bool WaitForSigterm();

// Threads of this process.
int CountThreads();

}  // namespace weir
