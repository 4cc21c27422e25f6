// How a caller's thread waits for what the registry's thread finds out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace weir::discovery {

// One answer that somebody waits for. Thread-safe.
template <class Value>
class Awaited {
 public:
  // Does nothing when nobody waits any more.
  void Give(Value value) {
    const std::lock_guard lock(mutex_);
    if (abandoned_ || value_) return;
    value_ = std::move(value);
    given_.notify_all();
  }
  // Nothing when the time is over; then nobody waits any more.
  std::optional<Value> Wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    given_.wait_for(lock, timeout, [this] { return value_.has_value(); });
    abandoned_ = !value_;
    return std::exchange(value_, std::nullopt);
  }
  bool abandoned() const {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable given_;
  std::optional<Value> value_;
  bool abandoned_ = false;
};

}  // namespace weir::discovery
