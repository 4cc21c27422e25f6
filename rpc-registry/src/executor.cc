#include "executor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace weir::discovery {

Executor::Executor() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { Run(); });
  id_ = thread_.get_id();
}

Executor::~Executor() {
  Stop();
  if (wake_ >= 0) ::close(wake_);
}

void Executor::Post(Task task) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  ready_.push_back(std::move(task));
  if (ready_.size() == 1) WakeUp();
}

void Executor::PostAfter(Clock::duration delay, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  delayed_.emplace(Clock::now() + delay, std::move(task));
  WakeUp();
}

void Executor::Follow(int descriptor, Task readable) {
  assert(followed_ < 0 && "an executor follows one descriptor");
  readable_ = std::move(readable);
  followed_ = descriptor;
  WakeUp();
}

void Executor::Stop() {
  assert(!InThread() && "a registry must not be destroyed from one of its listeners");
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  WakeUp();
  if (thread_.joinable()) thread_.join();
  // Outside the lock: what a task holds may post again when it is destroyed.
  std::deque<Task> ready;
  std::multimap<Clock::time_point, Task> delayed;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(ready_);
    delayed.swap(delayed_);
  }
}

void Executor::WakeUp() const {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the thread wakes up anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

void Executor::Run() {
  while (true) {
    std::deque<Task> batch;
    int wait_ms = -1;
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      const auto now = Clock::now();
      while (!delayed_.empty() && delayed_.begin()->first <= now) {
        ready_.push_back(std::move(delayed_.begin()->second));
        delayed_.erase(delayed_.begin());
      }
      batch.swap(ready_);
      if (!batch.empty()) {
        wait_ms = 0;
      } else if (!delayed_.empty()) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(delayed_.begin()->first - now);
        wait_ms = static_cast<int>(std::min<std::int64_t>(left.count(), 60'000));
      }
    }
    while (!batch.empty()) {
      batch.front()();
      batch.pop_front();
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
    }
    std::array<pollfd, 2> sources{{{wake_, POLLIN, 0}, {followed_, POLLIN, 0}}};
    if (::poll(sources.data(), sources.size(), wait_ms) <= 0) continue;
    if (sources[0].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_, &count, sizeof count);
    }
    if (sources[1].revents != 0) readable_();
  }
}

}  // namespace weir::discovery
