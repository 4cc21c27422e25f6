#include "engine/measure.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace weir::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double SecondsSince(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

// The number behind `name` in a file of /proc/self; 0 if there is none.
std::uint64_t FromProc(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  }
  return 0;
}

// Regular files below `directory`; those that vanish meanwhile are passed over.
template <class Visit>
void ForEachFile(const std::string& directory, Visit visit) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (at->is_regular_file(gone)) visit(at->path().c_str());
  }
}

void TouchFile(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::vector<char> buffer(1 << 20);
  // A sparse file may have a size that nobody wants to read.
  for (off_t at = lseek(file, 0, SEEK_DATA); at >= 0; at = lseek(file, at, SEEK_DATA)) {
    const off_t hole = lseek(file, at, SEEK_HOLE);
    while (at < hole) {
      const ssize_t n = pread(file, buffer.data(), buffer.size(), at);
      if (n <= 0) break;
      at += n;
    }
    if (at < hole) break;
  }
  close(file);
}

}  // namespace

Timing Timed(unsigned threads, const std::function<std::uint64_t(unsigned thread)>& work) {
  Timing timing;
  Clock::time_point from;
  double cpu = 0;
  const auto begin = [&]() noexcept {
    cpu = CpuSeconds();
    from = Clock::now();
  };
  if (threads == 1) {
    begin();
    timing.operations = work(0);
    timing.seconds = SecondsSince(from);
    timing.cpu_seconds = CpuSeconds() - cpu;
    return timing;
  }
  std::barrier start(static_cast<std::ptrdiff_t>(threads), begin);
  std::atomic<std::uint64_t> operations = 0;
  std::vector<std::jthread> running;
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      operations += work(i);
    });
  }
  running.clear();
  timing.seconds = SecondsSince(from);
  timing.cpu_seconds = CpuSeconds() - cpu;
  timing.operations = operations;
  return timing;
}

void Settle() {
  constexpr auto kWindow = 100ms;
  constexpr double kIdle = 0.002;  // CPU seconds of a window
  const auto deadline = Clock::now() + 60s;
  for (int quiet = 0; quiet < 2 && Clock::now() < deadline;) {
    const double before = CpuSeconds();
    std::this_thread::sleep_for(kWindow);
    quiet = CpuSeconds() - before < kIdle ? quiet + 1 : 0;
  }
}

void Touch(const std::string& directory) {
  ForEachFile(directory, TouchFile);
}

void FlushFileSystem(const std::string& directory) {
  const int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  syncfs(file);
  close(file);
}

std::uint64_t DiskBytes(const std::string& directory, std::string_view suffix) {
  std::uint64_t bytes = 0;
  ForEachFile(directory, [&](const char* path) {
    struct stat status {};
    if (!std::string_view(path).ends_with(suffix)) return;
    if (stat(path, &status) == 0) bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  });
  return bytes;
}

Memory MemoryInUse() {
  malloc_trim(0);
  return {FromProc("/proc/self/status", "RssAnon:") * 1024,
          FromProc("/proc/self/status", "VmRSS:") * 1024};
}

Written WrittenSoFar() {
  return {FromProc("/proc/self/io", "wchar:"), FromProc("/proc/self/io", "write_bytes:")};
}

Scratch::Scratch(const std::string& parent) : path_(parent + "/bench-engine-XXXXXX") {
  if (mkdtemp(path_.data()) == nullptr) {
    error_ = std::strerror(errno);
    path_.clear();
  }
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace weir::bench
