// Progress: a bar on standard error while something takes long.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace weir::lab {

// On a terminal one line that is redrawn; elsewhere, if asked for, a line now and then.
class Progress {
 public:
  explicit Progress(bool asked);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Tell(std::size_t done, std::size_t all, const std::string& what);

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const bool on_;
  const Clock::time_point begin_;
  Clock::time_point told_{};
};

}  // namespace weir::lab
