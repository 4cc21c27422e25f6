// What the killed process does and the test expects of it: four threads, each with keys of its own,
// each with a script in which every step follows from its number alone. So the state after n steps
// is known without asking the process that was killed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "weir/kv/write_batch.h"

namespace weir::kv {

inline constexpr std::uint64_t kCrashThreads = 4;
inline constexpr std::uint64_t kAsynchronousThread = 3;  // it does not wait for its writes

// One thread's step has become durable; written as 8 bytes.
struct CrashAcknowledgement {
  std::uint64_t thread : 8;
  std::uint64_t step : 56;
};
static_assert(sizeof(CrashAcknowledgement) == 8);

inline std::string CrashKey(std::uint64_t thread, std::uint64_t key) {
  return std::to_string(thread) + "/" + std::to_string(key);
}
// Holds the number of the thread's last step: every step is a batch that changes it too.
inline std::string CrashStepKey(std::uint64_t thread) {
  return std::to_string(thread) + "/step";
}

inline WriteBatch CrashStep(std::uint64_t thread, std::uint64_t step) {
  std::uint64_t hash = (thread + 1) * 0x9e3779b97f4a7c15 + step;
  const auto next = [&hash] {
    hash = (hash ^ (hash >> 31)) * 0xbf58476d1ce4e5b9;
    return hash ^ (hash >> 29);
  };
  WriteBatch batch;
  for (std::uint64_t i = 0, count = 1 + next() % 3; i < count; ++i) {
    const std::string key = CrashKey(thread, next() % 40);
    if (next() % 4 == 0) {
      batch.Delete(key);
    } else {
      const auto letter = static_cast<char>('a' + step % 26);
      batch.Put(key, std::to_string(step) + std::string(next() % 300, letter));
    }
  }
  batch.Put(CrashStepKey(thread), std::to_string(step));
  return batch;
}

inline void ApplyTo(std::map<std::string, std::string>& model, const WriteBatch& batch) {
  for (std::size_t i = 0; i < batch.count(); ++i) {
    if (batch[i].is_delete) {
      model.erase(std::string(batch[i].key));
    } else {
      model[std::string(batch[i].key)] = batch[i].value;
    }
  }
}

}  // namespace weir::kv
