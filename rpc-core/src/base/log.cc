#include "weir/log.h"

#include "base/log_prefix.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace weir {
namespace {

// Never destroyed, as the sinks.
const std::string* g_prefix = nullptr;
std::atomic<LogLevel> g_level{LogLevel::kInfo};

spdlog::level::level_enum ToSpdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

// Lives as long as the process: threads may log while static objects are being destroyed.
struct Sinks {
  std::mutex mutex;
  std::shared_ptr<const LogSink> replaced;
  std::shared_ptr<spdlog::logger> standard;

  Sinks() {
    standard = std::make_shared<spdlog::logger>(
        "weir", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    standard->set_level(spdlog::level::trace);
    standard->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ weir %v");
  }
  static Sinks& Get() {
    static Sinks* sinks = new Sinks;
    return *sinks;
  }
};

}  // namespace

void SetLogSink(LogSink sink) {
  Sinks& sinks = Sinks::Get();
  auto replaced = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
  const std::lock_guard lock(sinks.mutex);
  sinks.replaced = std::move(replaced);
}

void SetLogPrefix(std::string prefix) {
  g_prefix = new std::string(std::move(prefix));
}

void SetLogLevel(LogLevel level) noexcept {
  g_level.store(level, std::memory_order_relaxed);
}

bool LogEnabled(LogLevel level) noexcept {
  return level >= g_level.load(std::memory_order_relaxed) && level != LogLevel::kOff;
}

void Log(LogLevel level, std::string_view line) {
  if (!LogEnabled(level)) return;
  Sinks& sinks = Sinks::Get();
  std::shared_ptr<const LogSink> replaced;
  {
    const std::lock_guard lock(sinks.mutex);
    replaced = sinks.replaced;
  }
  const std::string prefixed = g_prefix == nullptr ? "" : *g_prefix + std::string(line);
  if (g_prefix != nullptr) line = prefixed;
  if (replaced) {
    (*replaced)(level, line);
  } else {
    sinks.standard->log(ToSpdlog(level), "{}", line);
  }
}

}  // namespace weir
