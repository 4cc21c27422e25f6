// The process that the tests kill.
//
//   kv_crash_child hold DIRECTORY              opens the store, says so, waits to be killed
//   kv_crash_child write DIRECTORY STEP...     runs the scripts of kv_crash_script.h from these
//                                              steps on (one for each thread), sync always, while
//                                              merges run, and acknowledges each step on standard
//                                              output once it is durable
#include <unistd.h>

#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "kv_crash_script.h"
#include "weir/kv/store.h"

namespace {

using weir::kv::Commit;
using weir::kv::CrashAcknowledgement;
using weir::kv::CrashStep;
using weir::kv::kAsynchronousThread;
using weir::kv::kCrashThreads;
using weir::kv::Options;
using weir::kv::Store;

void Acknowledge(std::uint64_t thread, std::uint64_t step) {
  const CrashAcknowledgement done{thread, step};
  // One write of 8 bytes into a pipe is atomic, so a kill cannot cut it.
  if (::write(STDOUT_FILENO, &done, sizeof done) != sizeof done) ::_exit(3);
}

[[noreturn]] void Fail(const weir::Status& status) {
  std::cerr << status.ToString() << std::endl;
  ::_exit(2);
}

void WriteUntilKilled(Store& store, std::uint64_t thread, std::uint64_t step) {
  for (;; ++step) {
    if (thread == kAsynchronousThread) {
      store.Write(CrashStep(thread, step), {},
                  [thread, step](const weir::Status& status, const Commit&) {
                    if (!status.ok()) Fail(status);
                    Acknowledge(thread, step);
                  });
      while (store.GetStats().pending_bytes > 20'000) std::this_thread::yield();
    } else {
      if (weir::Status status = store.Write(CrashStep(thread, step)); !status.ok()) Fail(status);
      Acknowledge(thread, step);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 1;
  Options options;
  options.segment_size = 64 * 1024;
  options.merge.automatic = false;
  auto store = Store::Open(argv[2], options);
  if (!store.ok()) Fail(store.status());
  if (std::string(argv[1]) == "hold") {
    Acknowledge(0, 0);
    while (true) ::pause();
  }
  std::vector<std::jthread> threads;
  for (std::uint64_t thread = 0; thread < kCrashThreads; ++thread) {
    threads.emplace_back([&store, thread, step = std::stoull(argv[3 + thread])] {
      WriteUntilKilled(**store, thread, step);
    });
  }
  while (true) {
    if (weir::Status status = (*store)->Merge({.min_garbage = 0.2}); !status.ok()) Fail(status);
  }
}
