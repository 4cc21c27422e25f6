// Runtime: the threads that run connections and handlers.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "weir/status.h"

namespace weir {

namespace detail {
class RuntimeCore;
}

// How work is spread over threads.
enum class ThreadModel : std::uint8_t {
  kSingleReactor,         // one thread does everything
  kSingleReactorWorkers,  // one reactor for I/O; plain handlers run on a pool of workers
  kMultiReactor,          // an acceptor and N reactors; a handler runs on its connection's reactor
  kMultiReactorWorkers,   // the same; plain handlers run on a pool of workers
  kIoThreads,  // N reactors read, parse and write; one thread runs every handler, so that handlers
               // need no locks; (weir.blocking) methods alone run on workers, beside it
  kPrefork,    // N processes, each a kSingleReactor, and a master that keeps them running; only for
               // Server::Run, anything else has one reactor
  kProactor,   // as kMultiReactor, receiving and sending through io_uring; logs a line and uses
               // epoll where the build, the kernel or the container does not allow it
};

// The name of a model for options and reports: "multi_reactor".
std::string_view ThreadModelName(ThreadModel model) noexcept;
// All of them, in the order of the enumeration.
std::span<const ThreadModel> AllThreadModels() noexcept;
// The model of that name. INVALID_ARGUMENT lists the names there are.
Result<ThreadModel> ParseThreadModel(std::string_view name);

struct ThreadOptions {
  ThreadModel model = ThreadModel::kMultiReactor;
  // Reactor threads; with kPrefork worker processes. 0: one per core. kSingleReactor and
  // kSingleReactorWorkers always have one.
  std::uint32_t reactors = 0;
  // Threads for methods marked (weir.blocking) in every model, and for all plain handlers in those
  // with workers. Started with the first call that needs one.
  std::uint32_t workers = 4;
  // Calls waiting for a worker; above it RESOURCE_EXHAUSTED.
  std::uint32_t max_queued_work = 4'096;
};

// A set of reactors, each one thread with its own event loop. A resource; thread-safe. Shared by
// the servers and channels that were given it. The last owner must not be one of its own threads.
class Runtime {
 public:
  explicit Runtime(ThreadOptions options = {});
  ~Runtime();  // stops and joins the threads
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::uint32_t reactors() const noexcept;
  // The event loop of a reactor: co_spawn here to run beside its connections. `index` < reactors().
  asio::any_io_executor executor(std::uint32_t index = 0) const;

  // True on one of its reactors and on the thread of kIoThreads that runs the handlers: where
  // nothing may block.
  bool RunsThisThread() const noexcept;

  detail::RuntimeCore& core() const noexcept { return *core_; }

 private:
  std::unique_ptr<detail::RuntimeCore> core_;
};

// The memory that the I/O buffers of this process may take: 1 GiB unless set. At 80 % connections
// stop reading, at 95 % new calls are refused with RESOURCE_EXHAUSTED. Thread-safe; at any time.
void SetIoBudget(std::size_t bytes) noexcept;

}  // namespace weir
