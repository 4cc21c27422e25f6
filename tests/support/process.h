// A real process started by a test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace weir::testing {

// How a Process is started. A value.
struct ProcessOptions {
  std::vector<std::string> environment{};  // "NAME=value"; wins over what is inherited
  std::string directory{};                 // empty: the caller's
};

// A running program whose output is collected line by line. A resource: the destructor kills it
// with SIGKILL if it still runs, and reaps it. It also dies with the test's main thread, if that
// thread started it, so that a test killed by its timeout leaves nothing behind. Thread-safe.
class Process {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Starts argv[0] (looked up in PATH) with those arguments. A program that cannot be executed
  // ends with exit code 127 and says why on its standard error. Throws std::runtime_error when no
  // process can be made.
  explicit Process(std::vector<std::string> argv, const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const noexcept { return pid_; }
  bool running() const;

  // The first line of standard output that contains `text`, among those already printed and those
  // to come; nothing when the time is over or the process ended without it.
  std::optional<std::string> WaitForLine(std::string_view text, Milliseconds timeout);
  // What was printed so far.
  std::vector<std::string> Lines() const;
  std::string Output() const;  // standard output
  std::string Errors() const;  // standard error

  // Writes to its standard input. False when the process no longer reads.
  bool Write(std::string_view text);
  void CloseInput();

  // Sends a signal, unless the process has ended.
  void Signal(int signal);
  // SIGKILL, and waits for the end.
  void Kill();
  // Waits for the end and for its output to be collected: the exit code, or 128 + signal; nothing
  // when the time is over.
  std::optional<int> Wait(Milliseconds timeout);

 private:
  void Collect(int out, int error);
  void AwaitEnd();

  pid_t pid_ = -1;
  int input_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  std::string errors_;
  bool output_ended_ = false;
  std::optional<int> exit_code_;
  std::thread collector_;
  std::thread waiter_;
};

// Polls `condition` until it holds or the time is over; says whether it held.
bool WaitUntil(const std::function<bool()>& condition, std::chrono::milliseconds timeout);

}  // namespace weir::testing
