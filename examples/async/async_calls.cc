// Coroutines on both sides: calls at once, deadlines, cancellation, attachments. Provider and
// consumer are one program here; between them are real sockets.
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <latch>
#include <memory>
#include <string>

#include "tasks_impl.h"
#include "weir/channel.h"
#include "weir/server.h"

namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;  // a && b: both; a || b: the first

tasks::WaitRequest Milliseconds(std::uint32_t time) {
  tasks::WaitRequest request;
  request.set_milliseconds(time);
  return request;
}

asio::awaitable<void> Calls(tasks::Tasks::Stub tasks) {
  // Two calls at once, on one connection, from one thread.
  const auto start = std::chrono::steady_clock::now();
  auto [first, second] = co_await (tasks.Wait(Milliseconds(200), {}, asio::use_awaitable) &&
                                   tasks.Wait(Milliseconds(300), {}, asio::use_awaitable));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("two at once: %s and %s after %.0f ms\n", first.status().ToString().c_str(),
              second.status().ToString().c_str(), took.count());

  // A deadline travels with the call: the handler is stopped when it is over.
  auto late = co_await tasks.Wait(Milliseconds(60'000), weir::Timeout(50ms), asio::use_awaitable);
  std::printf("deadline: %s\n", late.status().ToString().c_str());

  // So does cancellation, here because the timer was first.
  asio::steady_timer patience(co_await asio::this_coro::executor, 50ms);
  auto winner = co_await (patience.async_wait(asio::use_awaitable) ||
                          tasks.Wait(Milliseconds(60'000), {}, asio::use_awaitable));
  std::printf("cancellation: %s\n", winner.index() == 0 ? "the timer was first" : "the call ended");

  // Bytes beside the message, uncopied.
  weir::Buffer capitals;
  auto upper =
      co_await tasks.Upper({},
                           weir::CallOptions()
                               .WithAttachment(weir::Buffer(std::string("weirs level rivers")))
                               .ReceiveAttachment(&capitals),
                           asio::use_awaitable);
  std::printf("attachment: %s, %llu letters changed\n", capitals.ToString().c_str(),
              static_cast<unsigned long long>(upper.ok() ? upper->letters() : 0));
}

}  // namespace

int main() {
  std::latch stopped(2);  // by the deadline and by the cancellation
  weir::Server server;
  server.Add(std::make_unique<TasksImpl>([&stopped] { stopped.count_down(); }));
  server.RegisterAt("mem://async");
  if (weir::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
    return 1;
  }

  weir::Channel channel("mem://async");
  asio::io_context io;
  int exit_code = 0;
  asio::co_spawn(io, Calls(tasks::Tasks::Stub(channel)), [&](std::exception_ptr failure) {
    if (failure) exit_code = 1;
  });
  io.run();
  stopped.wait();
  std::printf("two handlers were told to stop\n");
  return exit_code;
}
