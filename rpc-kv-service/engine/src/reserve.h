// Space kept back for the day on which the device is full: then deletes, MANIFEST and a merge,
// which are what makes space, still have some.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "weir/kv/vfs.h"

namespace weir::kv {

// The file of the reserve in a store's directory. It holds nothing.
inline constexpr std::string_view kReserveName = "RESERVE";

// Thread-safe.
//
// A sixteenth of the data up to 256 KiB, from 128 MiB of data on a 512th, at most `most` bytes; a
// store of less than 1 MiB has none. When a write finds the device full the reserve is given up,
// and puts are refused until it can be taken again.
class Reserve {
 public:
  // `most` 0: none.
  Reserve(Vfs& vfs, const std::string& directory, std::uint64_t most);

  // False: the device is full, and what is left is not for puts. Looks for space that came back.
  bool AllowPut() { return !full_.load(std::memory_order_relaxed) || TakeBack(); }
  // A write has failed for lack of space. True: there is space now that there was not before, for
  // deletes and merges.
  bool OnFull();
  bool full() const noexcept { return full_.load(std::memory_order_relaxed); }
  // Why AllowPut said no.
  Status Refusal() const;

  // Takes, or takes more, if the store has become larger. Never fails: without one the store works
  // as well, until the device is full. Not at every write.
  void Grow(std::uint64_t data_bytes);
  // Takes the reserve again if it was given up and there is space. True: it is not missing.
  bool TakeBack();
  std::uint64_t bytes() const;  // that are held

 private:
  Status Take(std::uint64_t size);  // mutex_ held

  Vfs& vfs_;
  const std::string directory_;
  const std::string path_;
  const std::uint64_t most_;
  mutable std::mutex mutex_;
  std::unique_ptr<File> file_;
  std::uint64_t held_ = 0;
  std::uint64_t wanted_ = 0;
  std::atomic<bool> full_{false};
};

}  // namespace weir::kv
