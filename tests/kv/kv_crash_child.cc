// The process that the tests kill.
//
//   kv_crash_child hold DIRECTORY           opens the store, says so, waits to be killed
//   kv_crash_child write DIRECTORY FIRST    commits number after number from FIRST on, two threads
//                                           blocking and one asynchronous, sync always, and writes
//                                           each acknowledged number to standard output (8 bytes)
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "kv_crash_numbers.h"
#include "weir/kv/store.h"

namespace {

using weir::kv::Store;

void Acknowledge(std::uint64_t number) {
  // One write of 8 bytes into a pipe is atomic, so a kill cannot cut a number.
  if (::write(STDOUT_FILENO, &number, sizeof number) != sizeof number) ::_exit(3);
}

int Fail(const weir::Status& status) {
  std::cerr << status.ToString() << std::endl;
  ::_exit(2);
}

int WriteUntilKilled(Store& store, std::uint64_t first) {
  std::atomic<std::uint64_t> next = first;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (true) {
        const std::uint64_t number = next++;
        if (weir::Status status = store.Write(weir::kv::BatchOf(number)); !status.ok()) {
          Fail(status);
        }
        Acknowledge(number);
      }
    });
  }
  while (true) {
    const std::uint64_t number = next++;
    store.Write(weir::kv::BatchOf(number), {},
                [number](const weir::Status& status, const weir::kv::Commit&) {
                  if (status.ok()) Acknowledge(number);
                });
    while (store.GetStats().pending_bytes > 50'000) std::this_thread::yield();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 1;
  auto store = Store::Open(argv[2], {.segment_size = 64 * 1024});
  if (!store.ok()) return Fail(store.status());
  if (std::string(argv[1]) == "hold") {
    Acknowledge(0);
    while (true) ::pause();
  }
  return WriteUntilKilled(**store, std::stoull(argv[3]));
}
