#include "lab/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace weir::lab {

Progress::Progress(bool asked)
    : terminal_(::isatty(STDERR_FILENO) == 1), on_(asked || terminal_), begin_(Clock::now()) {}

Progress::~Progress() {
  if (terminal_ && told_ != Clock::time_point{}) std::fputs("\r\x1b[K", stderr);
}

void Progress::Tell(std::size_t done, std::size_t all, const std::string& what) {
  if (!on_ || all == 0) return;
  const auto now = Clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(2000);
  if (done > 0 && done < all && now - told_ < pause) return;
  told_ = now;
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = std::min(kWidth, done * kWidth / all);
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double left =
      done == 0 ? 0 : seconds / static_cast<double>(done) * static_cast<double>(all - done);
  std::fprintf(stderr,
               terminal_ ? "\r\x1b[K[%s%s] %zu/%zu  %.0f s, about %.0f s left  %s"
                         : "[%s%s] %zu/%zu  %.0f s, about %.0f s left  %s\n",
               std::string(filled, '#').c_str(), std::string(kWidth - filled, '.').c_str(), done,
               all, seconds, left, what.c_str());
  std::fflush(stderr);
}

}  // namespace weir::lab
