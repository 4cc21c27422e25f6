// What a call must not do once a connection is warm: allocate. Counted by replacing operator new in
// this program, on the caller's and on the handler's side at once.
#include <gtest/gtest.h>

#include <asio/post.hpp>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "core/echo_service.h"
#include "support/count_allocations.h"

namespace weir::test {
namespace {

struct Form {
  const char* name;
  // Allocations a call: a coroutine's frame is Asio's, a deferred handler's request outlives the
  // turn, and a worker's reply is written where no reactor keeps its memory.
  int most;
  // Calls the method; the function, which outlives the call, hears whether it went well.
  void (*call)(const Echo::Stub& echo, const EchoRequest& request,
               std::function<void(bool)>* ended);
};

constexpr Form kForms[] = {
    {"Plain", 0,
     [](const Echo::Stub& echo, const EchoRequest& request, std::function<void(bool)>* ended) {
       echo.Plain(request, {}, [ended](const Result<EchoReply>& r) { (*ended)(r.ok()); });
     }},
    {"Coroutine", 1,
     [](const Echo::Stub& echo, const EchoRequest& request, std::function<void(bool)>* ended) {
       echo.Coroutine(request, {}, [ended](const Result<EchoReply>& r) { (*ended)(r.ok()); });
     }},
    {"Deferred", 2,
     [](const Echo::Stub& echo, const EchoRequest& request, std::function<void(bool)>* ended) {
       echo.Deferred(request, {}, [ended](const Result<EchoReply>& r) { (*ended)(r.ok()); });
     }},
    {"Blocking", 3,
     [](const Echo::Stub& echo, const EchoRequest& request, std::function<void(bool)>* ended) {
       echo.Blocking(request, {}, [ended](const Result<EchoReply>& r) { (*ended)(r.ok()); });
     }},
};

// Answers with nothing: what a handler puts into its reply is its own.
class Quiet final : public Echo::Service<Quiet> {
 public:
  Result<EchoReply> Plain(ServerContext&, const EchoRequest&) { return EchoReply(); }
  Result<EchoReply> Blocking(ServerContext&, const EchoRequest&) { return EchoReply(); }
  Result<EchoReply> Idempotent(ServerContext&, const EchoRequest&) { return EchoReply(); }
  asio::awaitable<Result<EchoReply>> Coroutine(ServerContext&, const EchoRequest&) {
    co_return EchoReply();
  }
  void Deferred(ServerContext&, const EchoRequest&, weir::Reply<EchoReply> reply) {
    reply(EchoReply());
  }
};

std::unique_ptr<Server> StartQuiet(const std::string& registry) {
  auto server =
      std::make_unique<Server>(ServerOptions{.threads = {.model = ThreadModel::kSingleReactor}});
  server->Add(std::make_unique<Quiet>());
  server->RegisterAt(registry);
  if (Status status = server->Start(); !status.ok()) ADD_FAILURE() << status.ToString();
  return server;
}

class Allocations : public ::testing::TestWithParam<Form> {
 protected:
  Allocations()
      : runtime_(std::make_shared<Runtime>(ThreadOptions{.model = ThreadModel::kSingleReactor})),
        registry_("mem://" + std::string("allocations-") + GetParam().name),
        server_(StartQuiet(registry_)),
        channel_(registry_, {.runtime = runtime_}),
        echo_(channel_) {
    // Short enough that Protobuf needs no memory for it.
    request_.set_payload("0123456789");
  }

  // Makes `calls` calls, `at_once` at a time, from the reactor.
  bool Run(int calls, int at_once) {
    std::promise<bool> over;
    int started = 0;
    int ended = 0;
    bool well = true;
    std::function<void(bool)> next;
    next = [&](bool ok) {
      well = well && ok;
      if (++ended == calls) return over.set_value(well);
      if (started < calls) {
        ++started;
        GetParam().call(echo_, request_, &next);
      }
    };
    asio::post(runtime_->executor(), [&] {
      for (started = 0; started < at_once;) {
        ++started;
        GetParam().call(echo_, request_, &next);
      }
    });
    return over.get_future().get();
  }

  std::shared_ptr<Runtime> runtime_;
  std::string registry_;
  std::unique_ptr<Server> server_;
  Channel channel_;
  Echo::Stub echo_;
  EchoRequest request_;
};

INSTANTIATE_TEST_SUITE_P(Forms, Allocations, ::testing::ValuesIn(kForms),
                         [](const auto& form) { return std::string(form.param.name); });

TEST_P(Allocations, NoneOnceTheConnectionIsWarm) {
  constexpr int kCalls = 5'000;
  for (const int at_once : {1, 64}) {
    ASSERT_TRUE(Run(2'000, at_once));
    const long before = allocations.load();
    ASSERT_TRUE(Run(kCalls, at_once));
    const long during = allocations.load() - before;
    // The test's own few, and a list that grows once more.
    EXPECT_LT(during, kCalls * GetParam().most + kCalls / 100) << at_once << " at once";
  }
}

TEST(Allocations, BlockingStubMakesNone) {
  const auto server = StartQuiet("mem://allocations-stub");
  Channel channel("mem://allocations-stub");
  const Echo::Stub echo(channel);
  EchoRequest request;
  request.set_payload("0123456789");
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(echo.Plain(request).ok());
  constexpr int kCalls = 2'000;
  const long before = allocations.load();
  for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(echo.Plain(request).ok());
  EXPECT_LT(allocations.load() - before, kCalls / 100);
}

}  // namespace
}  // namespace weir::test
