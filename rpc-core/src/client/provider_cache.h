// ProviderCache: the last list of providers of one service, on disk, for a start without registry.
//
// A file of text: a line naming format, registry and service; one "address weight started_ms
// zone" per provider, the zone only where there is one; a last line with the XXH3-64 of all before
// it. Written aside and renamed, so that a reader sees a whole one or none. Its modification time
// says when the registry last stood by it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "weir/registry.h"
#include "weir/status.h"

namespace weir::detail {

// Not thread-safe; several processes may share a directory. The functions do file I/O.
class ProviderCache {
 public:
  static constexpr std::chrono::hours kMostAge{24};
  static constexpr std::size_t kMostBytes = 8u << 20;

  struct Cached {
    ProviderList providers;
    std::chrono::seconds age{};
  };

  // `registry`: the URL without a password.
  ProviderCache(const std::string& directory, std::string_view registry, std::string_view service);

  const std::string& path() const noexcept { return path_; }

  // Makes the directory, private to this user, if it is missing.
  Status Store(const std::vector<Provider>& providers) const;
  // The registry still stands by what was stored last.
  void Confirm() const;
  // NOT_FOUND when there is none; FAILED_PRECONDITION when it is too old or belongs to another
  // user; DATA_LOSS when it is damaged. The message names the file.
  Result<Cached> Load() const;

 private:
  Result<std::vector<Provider>> Parse(std::string_view text) const;

  const std::string directory_;
  const std::string title_;
  std::string path_;
};

}  // namespace weir::detail
