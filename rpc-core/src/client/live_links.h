// LiveLinks: what a channel's connections prove about providers, for those who ask from any thread.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "runtime/reactor.h"

namespace weir {

// Thread-safe. Touched when connections come and go, never per call.
class LiveLinks {
 public:
  using TimePoint = Reactor::Clock::time_point;

  struct Evidence {
    bool connected = false;  // on at least one reactor
    TimePoint heard{};       // when its peer was last heard, as far as reported
  };

  void Up(const std::string& address) {
    const std::lock_guard lock(mutex_);
    ++entries_[address].connections;
  }
  void Down(const std::string& address) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(address);
    if (entry != entries_.end() && --entry->second.connections == 0) entries_.erase(entry);
  }
  void Heard(const std::string& address, TimePoint when) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(address);
    if (entry != entries_.end() && entry->second.heard < when) entry->second.heard = when;
  }
  Evidence Of(const std::string& address) const {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(address);
    if (entry == entries_.end()) return {};
    return {true, entry->second.heard};
  }

 private:
  struct Entry {
    int connections = 0;
    TimePoint heard{};
  };

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace weir
