// What a decorator refuses besides what is excluded already, so that the strategy can be asked
// again without it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "weir/load_balance.h"

namespace weir {

// On the stack; confined to one pick.
class Refusals {
 public:
  explicit Refusals(const PickContext& context) noexcept
      : context_(context), size_(context.excluded.size()) {
    if (size_ <= kRoom) std::copy(context.excluded.begin(), context.excluded.end(), all_.begin());
  }
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;

  // False if there is no room for one more.
  bool Add(Index refused) noexcept {
    if (size_ >= kRoom) return false;
    all_[size_++] = refused;
    context_.excluded = {all_.data(), size_};
    return true;
  }
  // The pick's, without those that were refused. Valid until the next Add.
  const PickContext& context() const noexcept { return context_; }

 private:
  static constexpr std::size_t kRoom = 64;

  PickContext context_;
  std::size_t size_;
  std::array<Index, kRoom> all_;
};

}  // namespace weir
