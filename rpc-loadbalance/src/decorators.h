// The decorators of weir::loadbalance; each is a file of its own. docs/load-balance.md tells them
// apart.
#pragma once

#include "weir/load_balance.h"

namespace weir {

Decorator SubsetDecorator() noexcept;
Decorator ApertureDecorator() noexcept;
Decorator ZoneDecorator() noexcept;
Decorator SlowStartDecorator() noexcept;
Decorator BoundedDecorator() noexcept;

}  // namespace weir
