// RuntimeCore: the reactors of a Runtime and their threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/reactor.h"
#include "runtime/relay.h"
#include "runtime/ring.h"
#include "runtime/worker_pool.h"
#include "weir/runtime.h"

namespace weir::detail {

// ThreadOptions::reactors, or as many as there are cores.
std::uint32_t ReactorsOrCores(const ThreadOptions& options) noexcept;

class RuntimeCore {
 public:
  explicit RuntimeCore(const ThreadOptions& options);
  ~RuntimeCore();
  RuntimeCore(const RuntimeCore&) = delete;
  RuntimeCore& operator=(const RuntimeCore&) = delete;

  ThreadModel model() const noexcept { return model_; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(reactors_.size()); }
  Reactor& reactor(std::uint32_t index) noexcept { return *reactors_[index]; }
  // The reactor of this thread, if it is one of these; null otherwise.
  Reactor* Current() noexcept;
  // True on its reactors and on the thread of the handlers.
  bool RunsThisThread() noexcept;
  // Where a thread that is no reactor sends its work: the same one each time.
  Reactor& ForThisThread() noexcept;
  // Runs `work` once on every reactor, with its index; returns when all have. From a reactor of
  // this runtime it must not be called while another of them does.
  void OnEveryReactor(const std::function<void(std::uint32_t index)>& work);

  // kIoThreads: the reactor that runs every handler and has no connections; null in other models.
  Reactor* handlers() noexcept { return handlers_.get(); }
  // Hands a task from the thread of one of the reactors to handlers(), or from there to one of
  // them; those of a turn with one wake-up.
  void ToHandlers(Reactor& from, Task* task) { to_handlers_[from.index()]->Add(task); }
  void FromHandlers(Reactor& to, Task* task) { from_handlers_[to.index()]->Add(task); }
  // Returns when handlers() has run what it was given so far.
  void AwaitHandlers();

  WorkerPool& workers() noexcept { return workers_; }
  // True where plain handlers run on workers.
  bool plain_on_workers() const noexcept {
    return model_ == ThreadModel::kSingleReactorWorkers ||
           model_ == ThreadModel::kMultiReactorWorkers;
  }

 private:
  // Gives every reactor a ring, or none of them.
  void OpenRings();

  const ThreadModel model_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::unique_ptr<Reactor> handlers_;
  std::vector<std::unique_ptr<Relay>> to_handlers_;  // one per reactor
  std::vector<std::unique_ptr<Relay>> from_handlers_;
  std::vector<std::unique_ptr<Ring>> rings_;
  WorkerPool workers_;
  std::vector<std::thread> threads_;
};

}  // namespace weir::detail
