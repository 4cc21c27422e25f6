// A random history of commits, for tests of what a crash leaves of it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine_fixture.h"

namespace weir::kv {

// A history of commits over few keys, with the state after each.
class CommitHistory {
 public:
  explicit CommitHistory(std::uint64_t seed) : random_(seed) {}

  // Makes the next commit. Its state counts as attempted from now on.
  Status CommitNext(Store& store, Commit* commit = nullptr) {
    Model next = states_.back();
    WriteBatch batch;
    const std::uint64_t count = random_() % 4 == 0 ? 2 + random_() % 4 : 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string key = "key" + std::to_string(random_() % 30);
      if (random_() % 4 == 0) {
        batch.Delete(key);
        next.erase(key);
      } else {
        next[key] = std::string(random_() % 150, static_cast<char>('a' + random_() % 26));
        batch.Put(key, next[key]);
      }
    }
    states_.push_back(std::move(next));
    return store.Write(batch, {}, commit);
  }

  // State i is that after i commits.
  const std::vector<Model>& states() const { return states_; }

 private:
  std::mt19937_64 random_;
  std::vector<Model> states_{Model()};
};

}  // namespace weir::kv
