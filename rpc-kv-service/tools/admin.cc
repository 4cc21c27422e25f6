#include "admin.h"

#include <unistd.h>

#include <cstdio>

#include "program.h"
#include "text.h"

namespace weir::kv::tool {

void AdminSession::Fail(const Status& status) {
  EndProgress();
  Complain(app, status.message());
  exit_code = status.code() == StatusCode::kInvalidArgument ? kAdminUsage : kAdminFailed;
}

void AdminSession::TellDamage(const std::vector<DamagedPlace>& damaged) {
  for (const DamagedPlace& place : damaged) Complain(app, "damaged: " + ToString(place));
  if (!damaged.empty()) exit_code = kAdminFailed;
}

std::function<void(std::uint64_t, std::uint64_t)> AdminSession::Progress(const char* verb) const {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (!terminal && !progress) return {};
  using Clock = std::chrono::steady_clock;
  return [verb, terminal, shown = Clock::time_point()](std::uint64_t done,
                                                       std::uint64_t total) mutable {
    const auto now = Clock::now();
    const auto pause = terminal ? std::chrono::milliseconds(100) : std::chrono::milliseconds(1000);
    if (done < total && now - shown < pause) return;
    shown = now;
    std::fprintf(stderr, terminal ? "\r%s %s of %s\033[K" : "%s %s of %s\n", verb,
                 Size(done).c_str(), Size(total).c_str());
  };
}

void AdminSession::EndProgress() const {
  if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r\033[K");
}

void PrintOut(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace weir::kv::tool
