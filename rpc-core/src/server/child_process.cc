#include "server/child_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace weir {
namespace {

constexpr char kReady = 'R';
constexpr char kFailed = 'F';

// The process that forked this one.
pid_t g_parent = 0;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void BecomeChild(pid_t parent) {
  g_parent = parent;
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGTERM);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::kill(::getpid(), SIGTERM);  // died before it was asked for
}

}  // namespace

void ChildReport::Ready(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  Say(kReady, text);
}

void ChildReport::Failed(const Status& status) {
  Say(kFailed, std::string(status.message()));
}

void ChildReport::Say(char kind, const std::string& text) {
  const std::string all = kind + text;
  for (std::size_t done = 0; done < all.size();) {
    const ssize_t bytes = ::write(pipe_, all.data() + done, all.size() - done);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    done += static_cast<std::size_t>(bytes);
  }
  ::close(std::exchange(pipe_, -1));
}

Result<ChildProcess> ChildProcess::Start(const Main& main, const std::vector<int>& unwanted) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return Unavailable("cannot make a pipe: " + std::generic_category().message(errno));
  }
  std::fflush(nullptr);  // or the child would write it once more
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    for (const int descriptor : unwanted) ::close(descriptor);
    BecomeChild(parent);
    const int code = main(ChildReport(ends[1]));
    std::fflush(nullptr);
    // Neither the destructors of the parent's objects nor its exit handlers are the child's.
    ::_exit(code);
  }
  const int why = errno;
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return Unavailable("cannot fork: " + std::generic_category().message(why));
  }
  ChildProcess child;
  child.pid_ = pid;
  child.pipe_ = ends[0];
  child.since_ = Clock::now();
  return child;
}

bool ChildProcess::Listen() {
  std::array<char, 4096> buffer{};
  while (pipe_ >= 0) {
    const ssize_t bytes = ::read(pipe_, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && errno == EAGAIN) return false;
    if (bytes > 0) {
      said_.append(buffer.data(), static_cast<std::size_t>(bytes));
      continue;
    }
    ::close(std::exchange(pipe_, -1));
    if (said_.empty()) return true;
    ready_ = said_.front() == kReady;
    if (ready_) {
      lines_ = Lines(said_.substr(1));
      since_ = Clock::now();
    } else {
      failure_ = said_.substr(1);
    }
    return true;
  }
  return false;
}

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

std::optional<std::string> ChildProcess::Reap(bool* in_order) {
  int status = 0;
  if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  Listen();
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
  pid_ = -1;
  *in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

bool WaitForSigterm() {
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  int signal = 0;
  while (::sigwait(&term, &signal) != 0) {
  }
  return ::getppid() != g_parent;
}

int CountThreads() {
  int threads = 0;
  DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 1;
  while (const dirent* task = ::readdir(tasks)) threads += task->d_name[0] != '.' ? 1 : 0;
  ::closedir(tasks);
#ifdef __SANITIZE_THREAD__
  --threads;  // its own
#endif
  return threads;
}

}  // namespace weir
