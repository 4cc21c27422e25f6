// StopSignals: how a command learns that it shall end.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <ctime>

namespace weir::tool {

// SIGINT and SIGTERM, taken when this thread asks. Threads started later never see them.
class StopSignals {
 public:
  StopSignals() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  bool Came() const { return ComesWithin(std::chrono::nanoseconds(0)); }
  // Waits for one so long.
  bool ComesWithin(std::chrono::nanoseconds time) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec span{static_cast<std::time_t>(seconds.count()),
                        static_cast<long>((time - seconds).count())};
    return ::sigtimedwait(&signals_, nullptr, &span) > 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace weir::tool
