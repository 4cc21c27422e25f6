// FutexEvent: one thread waits for one event.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace weir::detail {

// The waiter may destroy the event as soon as Wait has returned: Set's last access to it is the
// store; the wake-up that follows uses the address alone.
class FutexEvent {
 public:
  void Set() noexcept {
    void* const address = &set_;
    set_.store(1, std::memory_order_release);
    syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void Wait() noexcept {
    while (set_.load(std::memory_order_acquire) == 0) {
      syscall(SYS_futex, &set_, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
  }

 private:
  std::atomic<std::uint32_t> set_{0};
};

}  // namespace weir::detail
