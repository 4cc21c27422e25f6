// One thread that runs everything a registry does, one task after another.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace weir::discovery {

// A resource. Tasks run in the order they were posted, delayed ones when their time has come. State
// touched only by tasks needs no lock.
class Executor {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::function<void()>;

  Executor();
  ~Executor();  // Stop()
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Any thread. After Stop() the task is destroyed without being run.
  void Post(Task task);
  void PostAfter(Clock::duration delay, Task task);
  // Runs `readable` whenever the descriptor has something to read, until Stop(). Once, before the
  // first Post.
  void Follow(int descriptor, Task readable);
  // Waits for the running task, joins the thread and drops what is left. Not from a task.
  void Stop();
  bool InThread() const noexcept { return std::this_thread::get_id() == id_; }

 private:
  void Run();
  void WakeUp() const;

  int wake_ = -1;
  std::atomic<int> followed_{-1};
  Task readable_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::deque<Task> ready_;
  std::multimap<Clock::time_point, Task> delayed_;
  std::thread thread_;
  std::thread::id id_;
};

}  // namespace weir::discovery
