// A directory and ports of a test's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace weir::testing {

// A fresh directory under the system's temporary directory, removed with all it holds by the
// destructor. A resource.
class TempDir {
 public:
  // Throws std::runtime_error when it cannot be created.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  // path()/name as text.
  std::string Path(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// A TCP port of 127.0.0.1 that nobody listened on a moment ago. Another program may take it before
// the caller does: whoever can should listen on port 0 instead. Throws std::runtime_error.
std::uint16_t FreePort();

}  // namespace weir::testing
