// The registries this process has open, for its metrics.
#pragma once

#include <memory>
#include <string>

#include "weir/metrics.h"
#include "weir/registry.h"

namespace weir::detail {

// From now until the last reference is gone. `url`: without a password. Thread-safe.
void RememberRegistry(std::string url, const std::shared_ptr<Registry>& registry);
void CollectOpenRegistries(MetricsWriter& writer);

}  // namespace weir::detail
