#include "weir/runtime.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <utility>

#include "buffer/io_budget.h"
#include "runtime/runtime_core.h"
#include "weir/detail/client_call.h"
#include "weir/log.h"

namespace weir {
namespace {

std::uint32_t ReactorsOf(const ThreadOptions& options) {
  switch (options.model) {
    case ThreadModel::kSingleReactor:
    case ThreadModel::kSingleReactorWorkers:
    case ThreadModel::kPrefork:
      return 1;
    default:
      return detail::ReactorsOrCores(options);
  }
}

}  // namespace

namespace detail {

std::uint32_t ReactorsOrCores(const ThreadOptions& options) noexcept {
  if (options.reactors > 0) return options.reactors;
  return std::max(1u, std::thread::hardware_concurrency());
}

RuntimeCore::RuntimeCore(const ThreadOptions& options)
    : model_(options.model), workers_(options.workers, options.max_queued_work) {
  const std::uint32_t count = ReactorsOf(options);
  for (std::uint32_t i = 0; i < count; ++i) reactors_.push_back(std::make_unique<Reactor>(i));
  if (model_ == ThreadModel::kIoThreads) {
    handlers_ = std::make_unique<Reactor>(count);
    for (const auto& reactor : reactors_) {
      to_handlers_.push_back(std::make_unique<Relay>(*reactor, *handlers_));
      from_handlers_.push_back(std::make_unique<Relay>(*handlers_, *reactor));
    }
    threads_.emplace_back([this] { handlers_->Run(); });
  }
  if (model_ == ThreadModel::kProactor) OpenRings();
  for (const auto& reactor : reactors_) {
    threads_.emplace_back([&reactor = *reactor] { reactor.Run(); });
  }
}

void RuntimeCore::OpenRings() {
  for (const auto& reactor : reactors_) {
    Result<std::unique_ptr<Ring>> ring = Ring::Open(*reactor);
    if (!ring.ok()) {
      LogWarning("io_uring cannot be used, so epoll is: " + std::string(ring.status().message()));
      rings_.clear();
      return;
    }
    rings_.push_back(*std::move(ring));
  }
  for (std::size_t i = 0; i < rings_.size(); ++i) reactors_[i]->SetRing(rings_[i].get());
}

RuntimeCore::~RuntimeCore() {
  for (const auto& reactor : reactors_) reactor->Stop();
  if (handlers_) handlers_->Stop();
  for (std::thread& thread : threads_) thread.join();
  for (const auto& reactor : reactors_) reactor->Finish();
  if (handlers_) {
    // What the reactors gave it, and what it answers to that.
    handlers_->Finish();
    for (const auto& reactor : reactors_) reactor->Finish();
  }
}

bool RuntimeCore::RunsThisThread() noexcept {
  return Current() != nullptr || (handlers_ && handlers_->IsCurrent());
}

void RuntimeCore::AwaitHandlers() {
  if (!handlers_ || handlers_->IsCurrent()) return;
  std::latch done(1);
  handlers_->PostFunction([&done] { done.count_down(); });
  done.wait();
}

Reactor* RuntimeCore::Current() noexcept {
  Reactor* current = Reactor::Current();
  if (current == nullptr || current->index() >= size()) return nullptr;
  return reactors_[current->index()].get() == current ? current : nullptr;
}

Reactor& RuntimeCore::ForThisThread() noexcept {
  static constinit std::atomic<std::uint32_t> next{0};
  thread_local const std::uint32_t number = next.fetch_add(1, std::memory_order_relaxed);
  return *reactors_[number % size()];
}

void RuntimeCore::OnEveryReactor(const std::function<void(std::uint32_t)>& work) {
  std::latch done(static_cast<std::ptrdiff_t>(reactors_.size()));
  for (const auto& reactor : reactors_) {
    const auto run = [&work, &done, &reactor = *reactor] {
      const Reactor::Turn turn(reactor);
      work(reactor.index());
      done.count_down();
    };
    if (reactor->IsCurrent()) {
      run();
    } else {
      reactor->PostFunction(run);
    }
  }
  done.wait();
}

bool RunsOnReactor(const asio::any_io_executor& executor) noexcept {
  Reactor* current = Reactor::Current();
  if (current == nullptr) return false;
  const auto* target = executor.target<asio::io_context::executor_type>();
  return target != nullptr && &target->context() == &current->io();
}

}  // namespace detail

Runtime::Runtime(ThreadOptions options) : core_(std::make_unique<detail::RuntimeCore>(options)) {}

Runtime::~Runtime() {
  // A thread cannot join itself: the last owner was, after all, one of the reactors.
  if (core_->RunsThisThread()) {
    std::thread([core = std::move(core_)]() mutable { core.reset(); }).detach();
  }
}

void SetIoBudget(std::size_t bytes) noexcept {
  IoBudget::set_limit(bytes);
}

std::uint32_t Runtime::reactors() const noexcept {
  return core_->size();
}

asio::any_io_executor Runtime::executor(std::uint32_t index) const {
  return core_->reactor(index).io().get_executor();
}

bool Runtime::RunsThisThread() const noexcept {
  return core_->RunsThisThread();
}

}  // namespace weir
