// The strategies of weir::loadbalance; each is a file of its own. docs/load-balance.md tells them
// apart.
#pragma once

#include "weir/load_balance.h"

namespace weir {

LoadBalance RandomStrategy() noexcept;
LoadBalance WeightedRandomStrategy() noexcept;
LoadBalance RoundRobinStrategy() noexcept;
LoadBalance LeastActiveStrategy() noexcept;
LoadBalance ConsistentHashStrategy() noexcept;
LoadBalance EctStrategy() noexcept;

}  // namespace weir
