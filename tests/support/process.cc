#include "support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace weir::testing {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe: " + std::generic_category().message(errno));
  }
  return {ends[0], ends[1]};
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace

Process::Process(std::vector<std::string> argv, const ProcessOptions& options) {
  std::vector<std::string> environment = options.environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view inherited(*entry);
    const auto name = inherited.substr(0, inherited.find('=') + 1);
    const bool replaced =
        std::any_of(options.environment.begin(), options.environment.end(),
                    [name](const std::string& given) { return given.starts_with(name); });
    if (!replaced) environment.emplace_back(inherited);
  }
  // Everything the child needs exists before fork: between fork and exec it may only make system
  // calls, because other threads of the test may have held locks.
  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> variables = Pointers(environment);
  const Pipe in = MakePipe();
  const Pipe out = MakePipe();
  const Pipe error = MakePipe();
  const bool on_main_thread = ::gettid() == ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    // The signal would come at the end of the forking thread, hence only for the main thread.
    if (on_main_thread) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(in.read, STDIN_FILENO);
    ::dup2(out.write, STDOUT_FILENO);
    ::dup2(error.write, STDERR_FILENO);
    const char* directory = options.directory.c_str();
    if (*directory == '\0' || ::chdir(directory) == 0) {
      ::execvpe(arguments[0], arguments.data(), variables.data());
    }
    const char* why = ::strerrorname_np(errno);
    for (const char* part : {"cannot run ", const_cast<const char*>(arguments[0]), ": ", why, "\n"})
      if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
    ::_exit(127);
  }
  ::close(in.read);
  ::close(out.write);
  ::close(error.write);
  if (pid_ < 0) {
    ::close(in.write);
    ::close(out.read);
    ::close(error.read);
    throw std::runtime_error("fork: " + std::generic_category().message(errno));
  }
  input_ = in.write;
  collector_ = std::thread([this, out, error] { Collect(out.read, error.read); });
  waiter_ = std::thread([this] { AwaitEnd(); });
}

Process::~Process() {
  Kill();
  waiter_.join();
  // A grandchild may hold the pipes open for ever; Collect looks at exit_code_ for that.
  collector_.join();
  CloseInput();
}

void Process::Collect(int out, int error) {
  std::array<pollfd, 2> sources{{{out, POLLIN, 0}, {error, POLLIN, 0}}};
  std::array<char, 4096> buffer{};
  while (sources[0].fd >= 0 || sources[1].fd >= 0) {
    const int ready = ::poll(sources.data(), sources.size(), 100);
    if (ready == 0) {
      const std::lock_guard lock(mutex_);
      if (exit_code_) break;
      continue;
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].fd < 0 || sources[i].revents == 0) continue;
      const ssize_t size = ::read(sources[i].fd, buffer.data(), buffer.size());
      if (size <= 0) {
        sources[i].fd = -1;
        continue;
      }
      const std::lock_guard lock(mutex_);
      (i == 0 ? output_ : errors_).append(buffer.data(), static_cast<std::size_t>(size));
      changed_.notify_all();
    }
  }
  ::close(out);
  ::close(error);
  const std::lock_guard lock(mutex_);
  output_ended_ = true;
  changed_.notify_all();
}

void Process::AwaitEnd() {
  siginfo_t info{};
  // WNOWAIT leaves the zombie, so that Signal() can never hit another process of the same id.
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
    ;
  const std::lock_guard lock(mutex_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  changed_.notify_all();
}

bool Process::running() const {
  const std::lock_guard lock(mutex_);
  return !exit_code_;
}

std::optional<std::string> Process::WaitForLine(std::string_view text, Milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto end = output_.rfind('\n');
    if (end != std::string::npos) {
      for (std::string& line : Split(std::string_view(output_).substr(0, end))) {
        if (line.find(text) != std::string::npos) return std::move(line);
      }
    }
    if (output_ended_) return std::nullopt;
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) return std::nullopt;
  }
}

std::vector<std::string> Process::Lines() const {
  const std::lock_guard lock(mutex_);
  return Split(output_);
}

std::string Process::Output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

std::string Process::Errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

bool Process::Write(std::string_view text) {
  // A reader that is gone must be an answer, not a SIGPIPE for the test.
  sigset_t pipe_signal;
  sigset_t before;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  bool written = true;
  while (written && !text.empty()) {
    const ssize_t size = ::write(input_, text.data(), text.size());
    written = size > 0;
    if (written) text.remove_prefix(static_cast<std::size_t>(size));
  }
  if (!written && errno == EPIPE) {
    const timespec none{};
    ::sigtimedwait(&pipe_signal, nullptr, &none);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return written;
}

void Process::CloseInput() {
  if (input_ >= 0) ::close(input_);
  input_ = -1;
}

void Process::Signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (!exit_code_) ::kill(pid_, signal);
}

void Process::Kill() {
  Signal(SIGKILL);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return exit_code_.has_value(); });
}

std::optional<int> Process::Wait(Milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return exit_code_.has_value() && output_ended_; });
  return exit_code_;
}

bool WaitUntil(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace weir::testing
