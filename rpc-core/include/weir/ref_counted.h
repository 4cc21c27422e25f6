// Shared ownership by a count inside the object: one allocation, one word per reference.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir {

// Base of what is shared by counted references and destroyed with the last. Counting is
// thread-safe.
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  void AddRef() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void Release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) Destroy();
  }
  // True if the caller holds the only reference.
  bool IsUnique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

 protected:
  virtual ~RefCounted() = default;

 private:
  virtual void Destroy() noexcept { delete this; }
  std::atomic<std::uint32_t> references_{1};
};

// A counted reference to anything that has AddRef and Release. A value.
template <class T = RefCounted>
class Ref {
 public:
  Ref() noexcept = default;
  // Takes over the reference that the creator of `object` holds.
  static Ref Adopt(T* object) noexcept { return Ref(object); }
  // Adds a reference.
  static Ref Share(T* object) noexcept {
    if (object != nullptr) object->AddRef();
    return Ref(object);
  }
  Ref(const Ref& other) noexcept : Ref(Share(other.object_)) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <class Derived>
  Ref(Ref<Derived>&& other) noexcept : object_(other.Detach()) {}  // NOLINT
  Ref& operator=(Ref other) noexcept { return std::swap(object_, other.object_), *this; }
  ~Ref() {
    if (object_ != nullptr) object_->Release();
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  T* Detach() noexcept { return std::exchange(object_, nullptr); }

 private:
  explicit Ref(T* object) noexcept : object_(object) {}
  T* object_ = nullptr;
};

}  // namespace weir
