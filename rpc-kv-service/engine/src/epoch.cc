#include "epoch.h"

namespace weir::kv {

Epochs::~Epochs() {
  for (const Retired& retired : retired_) retired.destroy(retired.object);
}

void Epochs::Retire(void* object, void (*destroy)(void*)) {
  const std::lock_guard lock(mutex_);
  retired_.push_back({object, destroy});
}

void Epochs::Collect() {
  std::vector<Retired> free;
  {
    const std::lock_guard lock(mutex_);
    if (pins_.load() != 0) return;
    free.swap(retired_);
  }
  for (const Retired& retired : free) retired.destroy(retired.object);
}

}  // namespace weir::kv
