// Which announcements of a registry stand, for those who wait for them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "weir/status.h"

namespace weir::discovery {

// Thread-safe.
class RegistrationBoard {
 public:
  // `registry` names the registry in messages.
  explicit RegistrationBoard(std::string registry) : registry_(std::move(registry)) {}

  // A new announcement that does not stand yet; `what` names it ("greeter.Greeter at h:7001").
  std::uint64_t Add(std::string what);
  void Remove(std::uint64_t id);
  void SetStanding(std::uint64_t id);
  // `why` goes into the message of those who wait in vain. Returns whether it is news.
  bool SetMissing(std::uint64_t id, std::string why);
  // A reason that holds for all that do not stand and that comes before their own, such as an
  // unreachable server; empty when there is none.
  void SetObstacle(std::string why);

  // OK as soon as everything added stands; DEADLINE_EXCEEDED names what does not, and why.
  Status Wait(std::int64_t timeout_ms);

 private:
  struct Entry {
    std::string what;
    bool stands = false;
    std::string why;
  };

  const std::string registry_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Entry> entries_;
  std::string obstacle_;
};

}  // namespace weir::discovery
