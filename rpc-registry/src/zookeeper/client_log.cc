#include "zookeeper/client_log.h"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "weir/log.h"

namespace weir::discovery {
namespace {

constexpr std::chrono::minutes kSilence{10};

bool IsAboutConnections(std::string_view place) {
  for (const char* function : {"@handle_socket_error_msg", "@check_events", "@zookeeper_interest",
                               "@do_io", "@handle_error", "@zookeeper_process"}) {
    if (place.find(function) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

void OnClientLog(const char* message) {
  // "<time>:<pid>(<thread>):ZOO_ERROR@function@line: text"
  std::string_view text = message;
  if (const auto level = text.find("ZOO_"); level != std::string_view::npos) {
    text.remove_prefix(level);
  }
  const std::string line = "ZooKeeper client: " + std::string(text);
  const std::string_view place = text.substr(0, text.find(": "));
  const auto now = std::chrono::steady_clock::now();
  bool news = false;
  if (!IsAboutConnections(place)) {
    static auto* const mutex = new std::mutex;
    static auto* const heard = new std::map<std::string, std::chrono::steady_clock::time_point>;
    const std::lock_guard lock(*mutex);
    const auto [entry, fresh] = heard->try_emplace(std::string(place), now);
    news = fresh || now - entry->second > kSilence;
    if (news) entry->second = now;
  }
  news ? LogWarning(line) : LogDebug(line);
}

}  // namespace weir::discovery
