// Keeps what readers may still look at: memory and files that have been replaced are destroyed only
// when everybody who could have found them has left.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::kv {

// Thread-safe. A reader enters before it follows a pointer that a writer may replace, and leaves
// when it uses nothing any more that it found. A writer first replaces the pointer, then retires
// what was behind it.
class Epochs {
 public:
  // While it lives, nothing that is retired from now on is destroyed. Move-only. Pins of one thread
  // may nest. May be long; what is retired meanwhile waits.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : epochs_(std::exchange(other.epochs_, nullptr)) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (epochs_ != nullptr) epochs_->Leave();
    }

   private:
    friend class Epochs;
    explicit Pin(const Epochs* epochs) : epochs_(epochs) {}
    const Epochs* epochs_;
  };

  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;
  ~Epochs();  // nobody may be pinned; destroys all

  Pin Enter() const noexcept {
    pins_.fetch_add(1);
    return Pin(this);
  }
  // `destroy(object)` runs once, later, on a thread that calls Retire or Collect, or at the end.
  void Retire(void* object, void (*destroy)(void*));
  template <class T>
  void Retire(T* object) {
    Retire(object, [](void* it) { delete static_cast<T*>(it); });
  }
  // Destroys what may be destroyed now.
  void Collect();

 private:
  struct Retired {
    void* object;
    void (*destroy)(void*);
  };
  void Leave() const noexcept { pins_.fetch_sub(1); }

  mutable std::atomic<std::int64_t> pins_{0};
  std::mutex mutex_;
  std::vector<Retired> retired_;
};

}  // namespace weir::kv
