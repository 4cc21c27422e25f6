// What operators ask of a file:// registry. Reads and writes the files directly, in the caller's
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weir/registry.h"

namespace weir::discovery {

// `root`: the registry's directory. As Registry::Inspect and Registry::Reweigh.
Result<std::vector<ProviderEntry>> InspectFolder(const std::string& url, const std::string& root,
                                                 std::string_view service);
Status ReweighInFolder(const std::string& url, const std::string& root, std::string_view service,
                       std::string_view address, std::int32_t weight);

}  // namespace weir::discovery
