// What a server does must not depend on its thread model, but for where handlers run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <set>
#include <thread>

#include "e2e/threads/probe_server.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using weir::testing::Process;
using weir::testing::WaitUntil;

constexpr auto kLong = 30s;

class ThreadModelSuite : public ::testing::TestWithParam<ThreadModel> {
 protected:
  // Two reactors or processes, four workers, unless said otherwise.
  void Serve(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--reactors", "2"});
    server_.emplace(GetParam(), std::move(more));
    channel_.emplace(server_->url());
    probe_.emplace(*channel_);
    const auto ready = probe_->Facts({}, CallOptions().WaitForReady().WithTimeout(kLong));
    ASSERT_TRUE(ready.ok()) << ready.status().ToString() << server_->process().Errors();
  }
  ProbeFacts Facts() {
    const auto facts = probe_->Facts({}, Timeout(kLong));
    EXPECT_TRUE(facts.ok()) << facts.status().ToString();
    return facts.ok() ? *facts : ProbeFacts();
  }
  // True where a handler of this form leaves the connection's thread to others.
  static bool IsInterruptible(Form form) {
    return form != Form::kPlain || PlainHandlersLeaveTheReactor();
  }
  static bool PlainHandlersLeaveTheReactor() {
    return HasWorkers() || GetParam() == ThreadModel::kIoThreads;
  }
  static bool HasWorkers() {
    return GetParam() == ThreadModel::kSingleReactorWorkers ||
           GetParam() == ThreadModel::kMultiReactorWorkers;
  }

  std::optional<ProbeServer> server_;
  std::optional<Channel> channel_;
  std::optional<Probe::Stub> probe_;
};

INSTANTIATE_TEST_SUITE_P(Models, ThreadModelSuite, ::testing::ValuesIn(AllThreadModels()),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(ThreadModelSuite, EveryFormOfHandlerAnswersWithAllThatBelongsToAReply) {
  Serve();
  for (const Form form : kForms) {
    SCOPED_TRACE(NameOf(form));
    Buffer attached;
    const auto reply = Call(*probe_, form, Ask("hello", 2),
                            CallOptions()
                                .WithTimeout(kLong)
                                .WithMetadata("probe", "told")
                                .WithAttachment(Buffer::Copy("beside"))
                                .ReceiveAttachment(&attached));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->payload(), "hello");
    EXPECT_EQ(reply->metadata(), "told");
    EXPECT_TRUE(reply->has_deadline());
    EXPECT_EQ(attached.ToString(), "beside");
  }
}

TEST_P(ThreadModelSuite, MessagesAndAttachmentsOfAMebibyteComeBackAsTheyWere) {
  Serve();
  std::string bytes(1u << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  for (const Form form : kForms) {
    SCOPED_TRACE(NameOf(form));
    Buffer attached;
    const auto reply = Call(*probe_, form, Ask(bytes, 1),
                            CallOptions()
                                .WithTimeout(kLong)
                                .WithAttachment(Buffer::Copy(bytes))
                                .ReceiveAttachment(&attached));
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_EQ(reply->payload(), bytes);
    EXPECT_EQ(attached.ToString(), bytes);
  }
}

TEST_P(ThreadModelSuite, HandlerThatThrowsIsInternalAndTheServerStays) {
  Serve();
  for (const Form form : kForms) {
    SCOPED_TRACE(NameOf(form));
    const auto reply = Call(*probe_, form, Ask("x", 0, "throw"), Timeout(kLong));
    EXPECT_EQ(reply.status().code(), StatusCode::kInternal);
    // A deferred one took its Reply with it.
    EXPECT_THAT(std::string(reply.status().message()),
                HasSubstr(form == Form::kDeferred ? "dropped its reply" : "as asked"));
    EXPECT_TRUE(Call(*probe_, form, Ask("x"), Timeout(kLong)).ok());
  }
}

TEST_P(ThreadModelSuite, DeadlineEndsTheCallAndReachesTheHandler) {
  Serve();
  int told = 0;
  for (const Form form : kForms) {
    if (!IsInterruptible(form)) continue;
    SCOPED_TRACE(NameOf(form));
    const auto reply = Call(*probe_, form, Ask("x", 0, "until_cancelled"), Timeout(50ms));
    EXPECT_EQ(reply.status().code(), StatusCode::kDeadlineExceeded) << reply.status().ToString();
    ++told;
    EXPECT_TRUE(WaitUntil([&] { return Facts().cancelled() == told; }, 8s));
  }
}

TEST_P(ThreadModelSuite, CancellationReachesTheHandler) {
  Serve();
  int told = 0;
  for (const Form form : kForms) {
    if (!IsInterruptible(form)) continue;
    SCOPED_TRACE(NameOf(form));
    asio::io_context io;
    asio::cancellation_signal stop;
    Status status;
    Call(*probe_, form, Ask(std::string(NameOf(form)), 0, "until_cancelled"), Timeout(kLong),
         asio::bind_cancellation_slot(stop.slot(),
                                      asio::bind_executor(io, [&](Result<ProbeReply> result) {
                                        status = std::move(result).status();
                                      })));
    EXPECT_TRUE(server_->process().WaitForLine("begun " + std::string(NameOf(form)), 10s));
    asio::post(io, [&] { stop.emit(asio::cancellation_type::all); });
    io.run();
    EXPECT_EQ(status.code(), StatusCode::kCancelled);
    ++told;
    EXPECT_TRUE(WaitUntil([&] { return Facts().cancelled() == told; }, 8s));
  }
}

TEST_P(ThreadModelSuite, FullQueueOfWorkersRefusesAndRecovers) {
  Serve({"--workers", "1", "--max-queued", "2"});
  for (const Form form : {Form::kBlocking, Form::kPlain}) {
    if (form == Form::kPlain && !HasWorkers()) continue;
    SCOPED_TRACE(NameOf(form));
    std::vector<std::future<Result<ProbeReply>>> calls;
    for (int i = 0; i < 8; ++i) {
      calls.push_back(Call(*probe_, form, Ask("x", 300), Timeout(kLong), asio::use_future));
    }
    int served = 0;
    for (auto& call : calls) {
      const Result<ProbeReply> reply = call.get();
      served += reply.ok() ? 1 : 0;
      if (reply.ok()) continue;
      EXPECT_EQ(reply.status().code(), StatusCode::kResourceExhausted);
      EXPECT_THAT(std::string(reply.status().message()), HasSubstr("workers"));
    }
    EXPECT_GE(served, 2);
    EXPECT_LE(served, 3);  // one running and two waiting
    EXPECT_TRUE(Call(*probe_, form, Ask("x"), Timeout(kLong)).ok());
  }
}

TEST_P(ThreadModelSuite, SixtyFourConnectionsOfManyThreadsEachGetTheirOwnAnswers) {
  Serve();
  constexpr int kConnections = 64;
  constexpr int kCalls = 100;
  const auto runtime = std::make_shared<Runtime>(ThreadOptions{.reactors = 2});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::unique_ptr<Channel>> channels;
      std::vector<std::pair<std::string, std::future<Result<ProbeReply>>>> calls;
      for (int c = 0; c < kConnections / 4; ++c) {
        channels.push_back(
            std::make_unique<Channel>(server_->url(), ChannelOptions{.runtime = runtime}));
        const Probe::Stub probe(*channels.back());
        for (int i = 0; i < kCalls; ++i) {
          const Form form = kForms[i % 4];
          std::string payload = std::to_string(t) + ":" + std::to_string(c * kCalls + i);
          const ProbeRequest request = Ask(payload, form == Form::kCoroutine ? i % 3 : 0);
          calls.emplace_back(std::move(payload),
                             Call(probe, form, request, Timeout(kLong), asio::use_future));
        }
      }
      for (auto& [payload, call] : calls) {
        const Result<ProbeReply> reply = call.get();
        if (reply.ok() && reply->payload() == payload) {
          ++right;
        } else if (!reply.ok()) {
          ADD_FAILURE() << reply.status().ToString();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kConnections * kCalls);
}

TEST_P(ThreadModelSuite, DrainFinishesWhatRuns) {
  Serve();
  const int before = Facts().started();
  std::vector<std::future<Result<ProbeReply>>> calls;
  for (const Form form : kForms) {
    if (!IsInterruptible(form)) continue;
    calls.push_back(Call(*probe_, form, Ask("x", 400), Timeout(kLong), asio::use_future));
  }
  const int running = before + static_cast<int>(calls.size());
  ASSERT_TRUE(WaitUntil([&] { return Facts().started() == running; }, 10s));
  server_->process().Signal(SIGTERM);
  for (auto& call : calls) {
    const Result<ProbeReply> reply = call.get();
    EXPECT_TRUE(reply.ok()) << reply.status().ToString();
  }
  EXPECT_EQ(server_->process().Wait(20s), 0) << server_->process().Errors();
}

TEST_P(ThreadModelSuite, KilledClientLeavesNoHandlerBehind) {
  Serve({"--reactors", "1"});
  Process client({WEIR_THREAD_MODEL_SERVER, "--call", server_->address()});
  ASSERT_TRUE(client.WaitForLine("calling", 20s)) << client.Errors();
  ASSERT_TRUE(WaitUntil([&] { return Facts().started() >= 200; }, 20s));
  EXPECT_EQ(Facts().cancelled(), 0);
  client.Kill();
  EXPECT_TRUE(WaitUntil([&] { return Facts().cancelled() == 200; }, 20s)) << Facts().cancelled();
  EXPECT_TRUE(probe_->Plain(Ask("x"), Timeout(kLong)).ok());
}

TEST_P(ThreadModelSuite, BlockingMethodsHoldUpNobody) {
  Serve();
  auto blocked = probe_->Blocking(Ask("x", 400), Timeout(kLong), asio::use_future);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(probe_->Plain(Ask("x"), Timeout(kLong)).ok());
  EXPECT_EQ(blocked.wait_for(0ms), std::future_status::timeout)
      << "20 calls took "
      << std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               begun)
             .count()
      << " ms";
  EXPECT_TRUE(blocked.get().ok());
}

class WithWorkers : public ThreadModelSuite {};
INSTANTIATE_TEST_SUITE_P(Models, WithWorkers,
                         ::testing::Values(ThreadModel::kSingleReactorWorkers,
                                           ThreadModel::kMultiReactorWorkers),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(WithWorkers, PlainHandlerHoldsUpNobody) {
  Serve();
  // All on one connection.
  auto slow = probe_->Plain(Ask("x", 200), Timeout(kLong), asio::use_future);
  int answered = 0;
  while (slow.wait_for(0ms) == std::future_status::timeout) {
    ASSERT_TRUE(probe_->Plain(Ask("x"), Timeout(kLong)).ok());
    ++answered;
  }
  EXPECT_GE(answered, 5);
  EXPECT_TRUE(slow.get().ok());
}

TEST_P(ThreadModelSuite, PortInUseIsAnErrorThatNamesIt) {
  Serve();
  Process second({WEIR_THREAD_MODEL_SERVER, "--model", std::string(ThreadModelName(GetParam())),
                  "--listen", server_->address()});
  EXPECT_EQ(second.Wait(20s), 1);
  EXPECT_THAT(second.Errors(), HasSubstr(server_->address()));
  EXPECT_THAT(second.Errors(), HasSubstr("in use"));
}

class OneThread : public ::testing::TestWithParam<ThreadModel> {};
INSTANTIATE_TEST_SUITE_P(Models, OneThread,
                         ::testing::Values(ThreadModel::kSingleReactor, ThreadModel::kIoThreads),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(OneThread, RunsEveryHandlerAndCallbackAndNoTwoAtOnce) {
  ProbeServer server(GetParam(), {"--reactors", "2"});
  std::vector<std::unique_ptr<Channel>> channels;
  std::vector<std::future<Result<ProbeReply>>> calls;
  for (int c = 0; c < 4; ++c) {
    channels.push_back(std::make_unique<Channel>(server.url()));
    const Probe::Stub probe(*channels.back());
    for (int i = 0; i < 100; ++i) {
      calls.push_back(Call(probe, kForms[i % 3], Ask("x", i % 3 == 1 ? i % 2 : 0), Timeout(kLong),
                           asio::use_future));
    }
  }
  std::set<std::int64_t> threads;
  for (auto& call : calls) {
    const Result<ProbeReply> reply = call.get();
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    threads.insert(reply->thread());
  }
  EXPECT_EQ(threads.size(), 1u);
  const Probe::Stub probe(*channels.front());
  for (const Form form : {Form::kCoroutine, Form::kDeferred}) {
    EXPECT_FALSE(Call(probe, form, Ask("x", 0, "until_cancelled"), Timeout(20ms)).ok());
  }
  EXPECT_TRUE(WaitUntil([&] { return probe.Facts({})->cancelled() == 2; }, 10s));
  const auto facts = probe.Facts({});
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->astray(), 0);
  EXPECT_EQ(facts->most_at_once(), 1);
}

}  // namespace
}  // namespace weir::test
