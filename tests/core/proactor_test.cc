// What is special about connections whose bytes the kernel moves: memory, descriptors, large
// payloads, readers that are slow, ends of all kinds.
#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <csignal>
#include <filesystem>
#include <future>
#include <random>
#include <string>
#include <vector>

#include "buffer/io_budget.h"
#include "core/echo_service.h"
#include "support/process.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using weir::testing::WaitUntil;
using Answer = std::future<Result<EchoReply>>;

constexpr auto kLong = 60s;

std::ptrdiff_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

std::shared_ptr<Runtime> OnRing(std::uint32_t reactors = 1) {
  return std::make_shared<Runtime>(
      ThreadOptions{.model = ThreadModel::kProactor, .reactors = reactors});
}

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

// Client and server on one ring each.
class Proactor : public ::testing::Test {
 protected:
  void Begin(ServerOptions options = {}) {
    registry_ = std::string("mem://proactor-") +
                ::testing::UnitTest::GetInstance()->current_test_info()->name();
    options.runtime = OnRing();
    server_ = StartEcho(registry_, "a", &log_, std::move(options));
    runtime_ = OnRing();
    channel_.emplace(registry_,
                     ChannelOptions{.max_message_bytes = 64u << 20, .runtime = runtime_});
    echo_.emplace(*channel_);
    ASSERT_TRUE(echo_->Plain(Request("x"), Timeout(kLong)).ok());
  }

  EchoLog log_;
  std::string registry_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Channel> channel_;
  std::optional<Echo::Stub> echo_;
};

TEST_F(Proactor, PayloadsOfAllSizesComeBackAsTheyWere) {
  Begin({.limits = {.max_message_bytes = 64u << 20}});
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  // Around the size of the ring's pieces, and far beyond.
  std::vector<std::size_t> sizes{0,      1,       16'000,   16'384,   16'400,
                                 65'536, 131'072, 1u << 20, 20u << 20};
  for (int i = 0; i < 60; ++i) sizes.push_back(random() % 200'000);
  std::shuffle(sizes.begin(), sizes.end(), random);
  struct Sent {
    std::string payload;
    Buffer attachment;
    Buffer back;
    Answer answer;
  };
  std::vector<Sent> sent(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sent[i].payload.resize(sizes[i]);
    for (char& c : sent[i].payload) c = static_cast<char>(random());
    sent[i].attachment = Buffer::Copy(sent[i].payload);
    sent[i].answer = echo_->Plain(Request(i % 2 == 0 ? sent[i].payload : "small"),
                                  CallOptions()
                                      .WithTimeout(kLong)
                                      .WithAttachment(sent[i].attachment)
                                      .ReceiveAttachment(&sent[i].back),
                                  asio::use_future);
  }
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Result<EchoReply> reply = sent[i].answer.get();
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    EXPECT_TRUE(reply->payload() == (i % 2 == 0 ? sent[i].payload : "small")) << i;
    EXPECT_TRUE(sent[i].back.ToString() == sent[i].payload) << i;
  }
}

TEST_F(Proactor, ThousandConnectionsComeAndGoAndLeaveNothingBehind) {
  Begin();
  const std::string list = "list://127.0.0.1:" + std::to_string(server_->port());
  const auto round = [&](int count) {
    std::vector<std::unique_ptr<Channel>> channels;
    std::vector<Answer> answers;
    for (int i = 0; i < count; ++i) {
      channels.push_back(std::make_unique<Channel>(list, ChannelOptions{.runtime = runtime_}));
      answers.push_back(
          Echo::Stub(*channels.back()).Plain(Request("x"), Timeout(kLong), asio::use_future));
    }
    for (Answer& answer : answers) EXPECT_TRUE(answer.get().ok());
  };
  const auto alone = [&] { return server_->stats().connections_open == 1; };
  round(50);
  ASSERT_TRUE(WaitUntil(alone, kLong));
  const std::ptrdiff_t descriptors = OpenDescriptors();
  const std::size_t used = IoBudget::used();
  for (int i = 0; i < 10; ++i) {
    round(100);
    ASSERT_TRUE(WaitUntil(alone, kLong));
  }
  EXPECT_TRUE(WaitUntil([&] { return OpenDescriptors() <= descriptors; }, kLong))
      << OpenDescriptors() << " descriptors, before " << descriptors;
  EXPECT_LE(IoBudget::used(), used + (256u << 10));
}

TEST_F(Proactor, ConnectionsMayCloseWithMuchUnsentAndUnread) {
  Begin();
  const std::size_t used = IoBudget::used();
  const std::string large(8u << 20, 'x');
  for (int i = 0; i < 20; ++i) {
    std::vector<Answer> answers;
    {
      Channel channel("list://127.0.0.1:" + std::to_string(server_->port()), {.runtime = runtime_});
      const Echo::Stub echo(channel);
      ASSERT_TRUE(echo.Plain(Request("x"), Timeout(kLong)).ok());
      for (int call = 0; call < 4; ++call) {
        answers.push_back(echo.Plain(
            Request("x"), CallOptions().WithTimeout(kLong).WithAttachment(Buffer::Copy(large)),
            asio::use_future));
      }
      if (i % 2 == 0) answers.front().wait();
    }
    for (Answer& answer : answers) answer.wait();
  }
  EXPECT_TRUE(echo_->Plain(Request("x"), Timeout(kLong)).ok());
  EXPECT_TRUE(WaitUntil([&] { return IoBudget::used() <= used + (1u << 20); }, kLong));
}

TEST_F(Proactor, CallsThatMayHaveLeftAreNotRepeatedWhenTheServerDies) {
  Begin();
  // Every call reaches a handler at most once, and says so when it is not known whether it did.
  std::vector<Answer> answers;
  const int before = log_.started;
  for (int i = 0; i < 200; ++i) {
    answers.push_back(echo_->Deferred(Request("never"), Timeout(kLong), asio::use_future));
  }
  ASSERT_TRUE(WaitUntil([&] { return log_.started > before; }, kLong));
  server_->Stop();
  for (Answer& answer : answers) {
    EXPECT_EQ(answer.get().status().code(), StatusCode::kUnavailable);
  }
  EXPECT_LE(log_.started, before + 200);
}

TEST_F(Proactor, DrainsWhileCallsRun) {
  Begin();
  std::vector<Answer> answers;
  const int before = log_.started;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(echo_->Coroutine(Request("x", 100), Timeout(kLong), asio::use_future));
  }
  ASSERT_TRUE(WaitUntil([&] { return log_.started == before + 50; }, kLong));
  server_->Drain();
  for (Answer& answer : answers) EXPECT_TRUE(answer.get().ok());
}

TEST_F(Proactor, RuntimesEndWithConnectionsOpenAndCallsUnderWay) {
  for (int i = 0; i < 20; ++i) {
    Begin();
    Answer answer = echo_->Deferred(Request("never"), Timeout(kLong), asio::use_future);
    if (i % 2 == 0) {
      channel_.reset();
      runtime_.reset();
      server_.reset();
    } else {
      server_.reset();
      channel_.reset();
      runtime_.reset();
    }
    EXPECT_FALSE(answer.get().ok());
  }
}

}  // namespace
}  // namespace weir::test
