// Doing independent pieces of work on a few threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace weir::kv {

// What Options::open_threads means.
inline std::size_t ThreadsOrCores(std::uint32_t wanted) noexcept {
  return wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
}

// Calls do_piece(i) once for each i below `count`, on up to `threads` threads, this one included,
// and returns when all are done.
template <class DoPiece>
void InParallel(std::size_t count, std::size_t threads, DoPiece do_piece) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) do_piece(i);
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace weir::kv
