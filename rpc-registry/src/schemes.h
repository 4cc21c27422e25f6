// The factories of the schemes in this library.
#pragma once

#include <memory>

#include "weir/registry.h"

namespace weir::discovery {

// mem://name: lives in this process, shared by all who open the same name. For tests.
Result<std::shared_ptr<Registry>> OpenMemoryRegistry(const RegistryUrl& url);
// list://host:port*weight,...: the same fixed providers for every service.
Result<std::shared_ptr<Registry>> OpenListRegistry(const RegistryUrl& url);
// file:///directory: a tree of files, alive while their creators hold a lock on them.
Result<std::shared_ptr<Registry>> OpenFileRegistry(const RegistryUrl& url);

}  // namespace weir::discovery
