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
LoadBalance FirstStrategy() noexcept;
LoadBalance TwoChoicesStrategy() noexcept;      // p2c
LoadBalance TwoChoicesEwmaStrategy() noexcept;  // p2c_ewma
LoadBalance ShortestResponseStrategy() noexcept;
LoadBalance MaglevStrategy() noexcept;
LoadBalance RendezvousStrategy() noexcept;
LoadBalance JumpStrategy() noexcept;
LoadBalance KetamaStrategy() noexcept;
LoadBalance EctStrategy() noexcept;

}  // namespace weir
