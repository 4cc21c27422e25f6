// Memory of short-lived objects, kept by the thread that freed it for the next of about that size.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace weir::detail {

// Like operator new and delete; blocks up to 16 KiB come from and go to bounded lists of this
// thread.
void* AllocateRecycled(std::size_t bytes);
void FreeRecycled(void* memory, std::size_t bytes) noexcept;

// The same for containers that take their elements one at a time.
template <class T>
struct RecyclingAllocator {
  using value_type = T;
  RecyclingAllocator() noexcept = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>&) noexcept {}  // NOLINT
  T* allocate(std::size_t count) { return static_cast<T*>(AllocateRecycled(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept {
    FreeRecycled(memory, count * sizeof(T));
  }
  friend bool operator==(RecyclingAllocator, RecyclingAllocator) noexcept { return true; }
};

// Uninitialised bytes in such memory. Movable.
class RecycledBytes {
 public:
  RecycledBytes() noexcept = default;
  explicit RecycledBytes(std::size_t bytes)
      : data_(bytes > 0 ? static_cast<char*>(AllocateRecycled(bytes)) : nullptr), size_(bytes) {}
  RecycledBytes(RecycledBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  RecycledBytes& operator=(RecycledBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~RecycledBytes() {
    if (data_ != nullptr) FreeRecycled(data_, size_);
  }

  char* data() noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Message objects that a thread keeps, so that the memory in them is used again.
//
// True if one whose largest content so far had `most_bytes` may take `bytes` and be kept; then
// `most_bytes` is raised. All of a thread's together keep about 4 MiB.
bool RaiseKept(std::size_t bytes, std::size_t& most_bytes) noexcept;
inline bool MayKeep(std::size_t bytes, std::size_t& most_bytes) noexcept {
  return bytes <= most_bytes || RaiseKept(bytes, most_bytes);
}

}  // namespace weir::detail
