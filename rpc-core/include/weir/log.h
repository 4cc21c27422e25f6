// Where weir's own log lines go. Lines are rare (state changes and faults, never per call), carry
// no secrets, and name the thing they are about.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace weir {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };

// Receives every line at or above the level, from any thread, possibly several at once.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

// Replaces the sink of the process (standard error through spdlog by default). Thread-safe. An
// empty sink restores the default.
void SetLogSink(LogSink sink);
// Lines below `level` are dropped before they are formatted. Default kInfo. Thread-safe.
void SetLogLevel(LogLevel level) noexcept;
bool LogEnabled(LogLevel level) noexcept;

// Writes one line. Thread-safe.
void Log(LogLevel level, std::string_view line);
inline void LogDebug(std::string_view line) {
  if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, line);
}
inline void LogInfo(std::string_view line) {
  Log(LogLevel::kInfo, line);
}
inline void LogWarning(std::string_view line) {
  Log(LogLevel::kWarning, line);
}
inline void LogError(std::string_view line) {
  Log(LogLevel::kError, line);
}

}  // namespace weir
