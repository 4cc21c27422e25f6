// How values reach the listeners of a registry: one at a time, never after Close, under no lock.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "weir/registry.h"

namespace weir::discovery {

// One listener and its right to be called. Shared by the registry that calls and the subscription
// that closes. Thread-safe.
template <class Value>
class ListenerSlot {
 public:
  explicit ListenerSlot(std::function<void(Value)> listener) : listener_(std::move(listener)) {}

  // From one thread only. Does nothing once closed.
  void Call(Value value) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      caller_ = std::this_thread::get_id();
    }
    listener_(std::move(value));
    const std::lock_guard lock(mutex_);
    caller_ = std::thread::id();
    idle_.notify_all();
  }

  // Afterwards the listener does not run and is not called again; from within it, returns at once.
  void Close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    idle_.wait(lock, [this] {
      return caller_ == std::thread::id() || caller_ == std::this_thread::get_id();
    });
  }

 private:
  const std::function<void(Value)> listener_;
  std::mutex mutex_;
  std::condition_variable idle_;
  bool closed_ = false;
  std::thread::id caller_;  // of the call that runs now
};

// The subscription over a slot; `forget` tells the registry to drop the slot.
template <class Value>
class SlotSubscription final : public Subscription {
 public:
  SlotSubscription(std::shared_ptr<ListenerSlot<Value>> slot, std::function<void()> forget)
      : slot_(std::move(slot)), forget_(std::move(forget)) {}
  ~SlotSubscription() override {
    slot_->Close();
    forget_();
  }

 private:
  const std::shared_ptr<ListenerSlot<Value>> slot_;
  const std::function<void()> forget_;
};

// The listeners of one thing and what they were last told. Confined to one thread.
template <class Value>
class Feed {
 public:
  using Slot = std::shared_ptr<ListenerSlot<Value>>;

  // Tells the new listener the last value, if there is one.
  void Add(Slot slot) {
    slots_.push_back(slot);
    if (last_) slot->Call(*last_);
  }
  void Remove(const Slot& slot) { std::erase(slots_, slot); }
  bool empty() const noexcept { return slots_.empty(); }
  const std::optional<Value>& last() const noexcept { return last_; }

  void Publish(Value value) {
    last_ = value;
    // A copy: a listener may cause slots to come and go.
    for (const Slot& slot : std::vector<Slot>(slots_)) slot->Call(value);
  }

 private:
  std::vector<Slot> slots_;
  std::optional<Value> last_;
};

using ProviderSlot = ListenerSlot<ProviderList>;
using DocumentSlot = ListenerSlot<Document>;

}  // namespace weir::discovery
