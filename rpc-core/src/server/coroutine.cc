// Runs coroutine handlers on coroutines that outlive them: asio::co_spawn allocates three times,
// which is too much for every call.
#include <asio/async_result.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "weir/detail/client_call.h"
#include "weir/detail/handler.h"

namespace weir::detail {
namespace {

// Does one call after the other, and waits in the thread's list between two. Owned by the frame of
// its coroutine (Live).
struct Runner {
  using Parked = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;

  void Take(ServerCall& taken, asio::awaitable<void> its_work) {
    call = ServerCallRef::Share(&taken);
    work.emplace(std::move(its_work));
    taken.cancellation_slot().assign([this](asio::cancellation_type type) { cancel.emit(type); });
  }
  void Leave() {
    work.reset();
    call->cancellation_slot().clear();
    call = {};
  }

  asio::cancellation_signal cancel;
  ServerCallRef call;
  std::optional<asio::awaitable<void>> work;
  std::optional<Parked> parked;  // the coroutine itself, while it waits
};

// The waiting runners of a thread.
struct IdleRunners {
  static constexpr std::size_t kMost = 256;
  std::vector<Runner*> list;
  ~IdleRunners() {
    gone = true;
    for (Runner* runner : list) {
      // Dropped, it ends its coroutine, and with it the runner, by way of the event loop.
      const Runner::Parked parked(std::move(*runner->parked));
    }
  }
  static thread_local bool gone;
};
thread_local bool IdleRunners::gone = false;
thread_local IdleRunners t_idle;

asio::awaitable<void> Live(std::unique_ptr<Runner> runner, asio::any_io_executor executor) {
  while (true) {
    co_await std::move(*runner->work);
    runner->Leave();
    if (IdleRunners::gone || t_idle.list.size() >= IdleRunners::kMost || !RunsOnReactor(executor)) {
      co_return;
    }
    // The next call is not cancelled because this one was.
    co_await asio::this_coro::reset_cancellation_state();
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [self = runner.get()](Runner::Parked parked) {
          self->parked.emplace(std::move(parked));
          t_idle.list.push_back(self);
        },
        asio::use_awaitable);
  }
}

}  // namespace

void RunCoroutine(ServerCall& call, asio::awaitable<void> work) {
  const asio::any_io_executor& executor = call.context().executor();
  if (!IdleRunners::gone && !t_idle.list.empty() && RunsOnReactor(executor)) {
    Runner& runner = *t_idle.list.back();
    t_idle.list.pop_back();
    runner.Take(call, std::move(work));
    Runner::Parked parked(std::move(*runner.parked));
    runner.parked.reset();
    return std::move(parked)();
  }
  auto runner = std::make_unique<Runner>();
  runner->Take(call, std::move(work));
  const auto slot = runner->cancel.slot();
  asio::co_spawn(executor, Live(std::move(runner), executor),
                 asio::bind_cancellation_slot(slot, asio::detached));
}

}  // namespace weir::detail
