// What the tests of the engine share: a store in memory or in a temporary directory, and the state
// it should have.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>

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

// The full number of cases in a release build, a part of it where the build is slow. Of either,
// WEIR_TEST_PERCENT percent, if that is set.
inline std::uint64_t Scaled(std::uint64_t full, std::uint64_t slow) {
  const char* percent = std::getenv("WEIR_TEST_PERCENT");
  const std::uint64_t wanted = kSlowBuild ? slow : full;
  return percent != nullptr ? std::max<std::uint64_t>(wanted * std::stoull(percent) / 100, 1)
                            : wanted;
}

// The seed of a random test: WEIR_TEST_SEED, else a new one. Printed, so that the run can be
// repeated.
inline std::uint64_t TestSeed() {
  const char* given = std::getenv("WEIR_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  return seed;
}

// Waits for something that the background does; asks again every millisecond, for a minute.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline const std::string kDirectory = "/store";

// Without merges by itself: which segments there are, and which calls are made, is up to the test.
inline Options InMemory(std::shared_ptr<Vfs> vfs, SyncMode mode = SyncMode::kAlways) {
  Options options;
  options.merge.automatic = false;
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

// The contents of a segment up to its last record, whose last byte must not be 0: without the
// space that is prepared for records to come.
inline std::string WithoutPrepared(std::string contents) {
  return contents.erase(contents.find_last_not_of('\0') + 1);
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
