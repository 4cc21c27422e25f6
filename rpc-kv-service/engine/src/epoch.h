// Keeps what readers may still look at: memory and files that have been replaced are destroyed only
// when everybody who could have found them has left.
//
// Epoch-based reclamation (Fraser, "Practical lock-freedom", 2004): a reader announces the epoch in
// which it entered in a cache line of its own thread; what has been retired in an epoch is
// destroyed when all announced epochs are later ones. Readers and the count of epochs are
// process-wide, what has been retired belongs to its Epochs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::kv {

// Thread-safe. A reader enters before it follows a pointer that a writer may replace, and leaves
// when it uses nothing any more that it found. A writer first replaces the pointer, then retires
// what was behind it.
class Epochs {
 public:
  // While it lives, nothing that is retired from now on is destroyed. Move-only; ends on the thread
  // on which it began. Pins of one thread may nest. May be long; what is retired meanwhile waits.
  class Pin {
   public:
    Pin(Pin&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (owner_ != nullptr) Leave();
    }

   private:
    friend class Epochs;
    explicit Pin(const Epochs* owner) noexcept : owner_(owner) {}
    const Epochs* owner_;
  };

  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;
  ~Epochs();  // nobody may be pinned because of it; destroys all

  // Wait-free, but for the first time on a thread: a store and a fence; a pin inside another costs
  // nothing.
  Pin Enter() const noexcept;

  // `destroy(object)` runs once, later, on a thread that calls Retire or Collect, or at the end.
  void Retire(void* object, void (*destroy)(void*));
  template <class T>
  void Retire(T* object) {
    Retire(object, [](void* it) { delete static_cast<T*>(it); });
  }
  // Destroys what may be destroyed now. Returns how much has to wait.
  std::size_t Collect();

  // For owners that reclaim by themselves: after the pointers have been replaced, ends the running
  // epoch and returns it; what was behind them is free once Passed says so.
  static std::uint64_t End() noexcept;
  // True if nobody is pinned who came in that epoch or before.
  static bool Passed(std::uint64_t epoch) noexcept;

 private:
  static constexpr std::size_t kBatch =
      64;  // objects that are retired between looks at the readers

  struct Retired {
    void* object;
    void (*destroy)(void*);
  };
  struct Batch {
    std::uint64_t epoch;
    std::vector<Retired> objects;
  };
  static void Leave() noexcept;
  void CloseBatch();                           // mutex_ held
  void TakePassed(std::vector<Retired>& out);  // mutex_ held
  static void Destroy(const std::vector<Retired>& objects);

  std::mutex mutex_;
  std::vector<Retired> open_;
  std::deque<Batch> closed_;  // in the order of epochs
};

}  // namespace weir::kv
