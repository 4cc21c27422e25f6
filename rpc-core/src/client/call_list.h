// CallList: calls that wait, in order. Intrusive.
#pragma once

#include <cstddef>

#include "weir/detail/client_call.h"

namespace weir {

// A call is in at most one list. One thread.
class CallList {
 public:
  using Call = detail::ClientCall;

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  void PushBack(Call& call) noexcept {
    call.previous = last_;
    call.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &call;
    last_ = &call;
    ++size_;
  }
  void Remove(Call& call) noexcept {
    (call.previous != nullptr ? call.previous->next : first_) = call.next;
    (call.next != nullptr ? call.next->previous : last_) = call.previous;
    call.next = call.previous = nullptr;
    --size_;
  }
  // Null if empty.
  Call* PopFront() noexcept {
    Call* call = first_;
    if (call != nullptr) Remove(*call);
    return call;
  }

 private:
  Call* first_ = nullptr;
  Call* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace weir
