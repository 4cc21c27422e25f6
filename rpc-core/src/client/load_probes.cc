#include "client/load_probes.h"

#include <algorithm>
#include <new>

#include "client/route.h"
#include "weir/detail/recycle.h"

namespace weir::detail {

void LoadProbes::Add(ClientCall& call, std::span<ProviderLink* const> asked,
                     Reactor::Clock::time_point until, Draw draw) {
  auto* node = new (AllocateRecycled(sizeof(ProbingCall))) ProbingCall;
  node->owner = this;
  node->call = &call;
  node->draw = draw;
  node->left = std::min(asked.size(), node->asked.size());
  std::copy_n(asked.begin(), node->left, node->asked.begin());
  node->fire = [](TimerNode* timer) noexcept {
    auto& late = *static_cast<ProbingCall*>(timer);
    RouteShard& shard = late.owner->shard_;
    ClientCall& its_call = *late.call;
    shard.PlaceProbed(its_call, late.owner->Remove(its_call));
  };
  node->previous = last_;
  (last_ != nullptr ? last_->next : first_) = node;
  last_ = node;
  call.probing = node;
  shard_.reactor().SetTimer(*node, until);
}

Draw LoadProbes::Remove(ClientCall& call) noexcept {
  ProbingCall* const node = call.probing;
  call.probing = nullptr;
  shard_.reactor().ClearTimer(*node);
  (node->previous != nullptr ? node->previous->next : first_) = node->next;
  (node->next != nullptr ? node->next->previous : last_) = node->previous;
  const Draw draw = node->draw;
  node->~ProbingCall();
  FreeRecycled(node, sizeof(ProbingCall));
  return draw;
}

void LoadProbes::OnLoad(const ProviderLink& link) {
  bool ready = false;
  for (ProbingCall* node = first_; node != nullptr; node = node->next) {
    auto* const end = node->asked.begin() + node->left;
    auto* const found = std::find(node->asked.begin(), end, &link);
    if (found == end) continue;
    *found = *(end - 1);
    ready = --node->left == 0 || ready;
  }
  // Placing a call may begin others and so change the list: from its start each time.
  while (ready) {
    ProbingCall* node = first_;
    while (node != nullptr && node->left > 0) node = node->next;
    if (node == nullptr) return;
    ClientCall& call = *node->call;
    shard_.PlaceProbed(call, Remove(call));
  }
}

}  // namespace weir::detail
