// Buffer: bytes in a chain of shared, immutable blocks. Attachments travel as Buffers, so that they
// are neither copied nor made contiguous on their way in or out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

// Owner of memory that slices point into: reference counted, thread-safe, destroyed with its last
// reference.
class BufferOwner {
 public:
  BufferOwner() = default;
  BufferOwner(const BufferOwner&) = delete;
  BufferOwner& operator=(const BufferOwner&) = delete;

  void AddRef() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Destroy();
  }
  // True if the caller holds the only reference.
  bool IsUnique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

 protected:
  virtual ~BufferOwner() = default;

 private:
  virtual void Destroy() noexcept { delete this; }
  std::atomic<std::uint32_t> references_{1};
};

// A counted reference to a BufferOwner (or to a type derived from it). A value.
template <class Owner = BufferOwner>
class OwnerRef {
 public:
  OwnerRef() noexcept = default;
  // Takes over the reference that the creator of `owner` holds.
  static OwnerRef Adopt(Owner* owner) noexcept { return OwnerRef(owner); }
  // Adds a reference.
  static OwnerRef Share(Owner* owner) noexcept {
    if (owner != nullptr) owner->AddRef();
    return OwnerRef(owner);
  }
  OwnerRef(const OwnerRef& other) noexcept : OwnerRef(Share(other.owner_)) {}
  OwnerRef(OwnerRef&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
  template <class Derived>
  OwnerRef(OwnerRef<Derived>&& other) noexcept : owner_(other.Detach()) {}  // NOLINT
  OwnerRef& operator=(OwnerRef other) noexcept { return std::swap(owner_, other.owner_), *this; }
  ~OwnerRef() {
    if (owner_ != nullptr) owner_->Release();
  }

  Owner* get() const noexcept { return owner_; }
  Owner* operator->() const noexcept { return owner_; }
  Owner& operator*() const noexcept { return *owner_; }
  explicit operator bool() const noexcept { return owner_ != nullptr; }
  Owner* Detach() noexcept { return std::exchange(owner_, nullptr); }

 private:
  explicit OwnerRef(Owner* owner) noexcept : owner_(owner) {}
  Owner* owner_ = nullptr;
};

// A view of bytes with its share in their owner. A null owner means the bytes are static.
struct BufferSlice {
  OwnerRef<> owner;
  std::string_view bytes;
};

// A value; copying shares the blocks. Not thread-safe itself, but copies may be used by different
// threads.
class Buffer {
 public:
  Buffer() noexcept = default;
  // Takes the string over without copying its bytes.
  explicit Buffer(std::string bytes);
  // Copies.
  static Buffer Copy(std::string_view bytes);
  // Points at bytes kept alive by `keeper`, which is dropped with the last slice.
  static Buffer Share(std::shared_ptr<const void> keeper, std::string_view bytes);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const BufferSlice> slices() const noexcept { return slices_; }

  void Append(BufferSlice slice);
  void Append(Buffer other);
  void Clear() noexcept {
    slices_.clear();
    size_ = 0;
  }
  // Copies everything into one string.
  std::string ToString() const;
  // Copies into `out`, which has room for size() bytes.
  void CopyTo(char* out) const noexcept;

 private:
  std::vector<BufferSlice> slices_;
  std::size_t size_ = 0;
};

}  // namespace weir
