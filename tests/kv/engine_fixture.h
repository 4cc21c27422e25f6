// What the tests of the engine share: a store in memory or in a temporary directory, and the state
// it should have.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "weir/kv/store.h"
#include "weir/kv/testing/fault_vfs.h"
#include "weir/log.h"

namespace weir::kv {

using Model = std::map<std::string, std::string>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
inline constexpr bool kSlowBuild = true;
#else
inline constexpr bool kSlowBuild = false;
#endif

// The full number of cases in a release build, a part of it where the build is slow.
inline std::uint64_t Scaled(std::uint64_t full, std::uint64_t slow) {
  return kSlowBuild ? slow : full;
}

inline const std::string kDirectory = "/store";

inline Options InMemory(std::shared_ptr<FaultVfs> vfs, SyncMode mode = SyncMode::kAlways) {
  Options options;
  options.vfs = std::move(vfs);
  options.sync.mode = mode;
  return options;
}

// Opens, or ends the test with the reason.
inline std::unique_ptr<Store> MustOpen(const std::string& directory, const Options& options) {
  auto store = Store::Open(directory, options);
  if (!store.ok()) {
    ADD_FAILURE() << store.status().ToString();
    std::abort();
  }
  return *std::move(store);
}

inline Model Contents(Store& store) {
  Model contents;
  auto scan = store.Scan({});
  for (; scan->Valid(); scan->Next()) contents.emplace(scan->key(), scan->value());
  EXPECT_TRUE(scan->status().ok()) << scan->status().ToString();
  return contents;
}

// Drops warnings while it lives: tests that cut logs would print one per cut.
class QuietLog {
 public:
  QuietLog() { SetLogLevel(LogLevel::kOff); }
  ~QuietLog() { SetLogLevel(LogLevel::kInfo); }
};

// A directory that is removed with all that is in it.
class TempDirectory {
 public:
  explicit TempDirectory(
      const std::filesystem::path& parent = std::filesystem::temp_directory_path()) {
    std::string pattern = parent / "weir-kv-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace weir::kv
