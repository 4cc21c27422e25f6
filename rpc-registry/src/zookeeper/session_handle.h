// What the client library is given to call back with; for the files that implement ZkSession.
#pragma once

#include <zookeeper/zookeeper.h>

#include <atomic>

#include "zookeeper/session.h"

namespace weir::discovery {

// Lives until its handle is closed. Every callback only copies and posts.
struct ZkSession::Handle {
  ZkSession* session;
  Executor* executor;
  std::uint64_t generation;
  zhandle_t* zk = nullptr;
  std::atomic<int> open_calls{0};  // requests without an answer

  Handle(ZkSession* of, Executor* on, std::uint64_t number)
      : session(of), executor(on), generation(number) {}

  // Blocks, for seconds when the server does not answer.
  void Close();

  static void OnState(zhandle_t* zk, int type, int state, const char* path, void* context);
  static void OnNode(zhandle_t* zk, int type, int state, const char* path, void* context);
  static void OnVerdict(int code, const void* context);
};

}  // namespace weir::discovery
