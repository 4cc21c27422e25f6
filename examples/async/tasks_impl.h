// Handlers that do not answer at once, in the two forms that keep no reactor waiting.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "tasks.weir.h"

class TasksImpl final : public tasks::Tasks::Service<TasksImpl> {
 public:
  // `stopped` is called, on a reactor, whenever a caller gave up waiting.
  explicit TasksImpl(std::function<void()> stopped) : stopped_(std::move(stopped)) {}

  // A coroutine: runs on the connection's reactor and gives it back at every co_await. When the
  // caller cancels, goes away or runs out of time, what is being awaited is cancelled.
  asio::awaitable<weir::Result<tasks::WaitReply>> Wait(weir::ServerContext& context,
                                                       const tasks::WaitRequest& request) {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             std::chrono::milliseconds(request.milliseconds()));
    asio::error_code cancelled;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    if (context.cancelled()) {
      stopped_();
      co_return weir::Cancelled("nobody waits any more");
    }
    co_return tasks::WaitReply();
  }

  // Deferred: the reply is a handle, completed later by whichever thread has the answer. Context
  // and request live until then.
  void Upper(weir::ServerContext& context, const tasks::UpperRequest&,
             weir::Reply<tasks::UpperReply> reply) {
    asio::post(pool_, [&context, reply = std::move(reply)]() mutable {
      std::string text = context.attachment().ToString();
      std::uint64_t letters = 0;
      for (char& c : text) {
        if (c < 'a' || c > 'z') continue;
        c = static_cast<char>(c - 'a' + 'A');
        ++letters;
      }
      context.SetReplyAttachment(weir::Buffer(std::move(text)));  // takes the bytes, copies none
      tasks::UpperReply answer;
      answer.set_letters(letters);
      reply(answer);
    });
  }

 private:
  std::function<void()> stopped_;
  asio::thread_pool pool_{1};  // for work that takes long
};
