// What a consumer must survive from its providers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <future>
#include <optional>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::test {
namespace {

using ::testing::HasSubstr;
using weir::testing::WaitUntil;
using wire::FrameType;
using Answer = std::future<Result<EchoReply>>;

std::string Name() {
  return ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

class HostileServer : public ::testing::TestWithParam<ThreadModel> {
 protected:
  void Begin(ChannelOptions options = {}) {
    options.runtime = std::make_shared<Runtime>(ThreadOptions{.model = GetParam(), .reactors = 1});
    channel_.emplace("list://" + listener_.address(), std::move(options));
    echo_.emplace(*channel_);
  }
  RawPeer Greeted() {
    RawPeer peer = listener_.Accept();
    EXPECT_TRUE(peer.Send(ServerSettings()));
    return peer;
  }
  static std::string ReplyTo(std::uint64_t id, std::string payload) {
    EchoReply reply;
    reply.set_payload(std::move(payload));
    return FrameBytes(FrameType::kResponse, id, {}, reply.SerializeAsString());
  }

  RawListener listener_;
  std::optional<Channel> channel_;
  std::optional<Echo::Stub> echo_;
};

// Both ways to read and write a socket.
INSTANTIATE_TEST_SUITE_P(Models, HostileServer,
                         ::testing::Values(ThreadModel::kMultiReactor, ThreadModel::kProactor),
                         [](const auto& model) {
                           return std::string(ThreadModelName(model.param));
                         });

TEST_P(HostileServer, F10_F27_RepliesNobodyAskedForReachNobody) {
  Begin();
  Answer first = echo_->Plain(Request("1"), Timeout(10s), asio::use_future);
  Answer second = echo_->Plain(Request("2"), Timeout(10s), asio::use_future);
  RawPeer peer = Greeted();
  const auto one = peer.Next(FrameType::kRequest);
  const auto two = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(one && two);
  for (const std::uint64_t id :
       {std::uint64_t{0}, std::uint64_t{2}, two->header.id + 2, one->header.id + (1u << 20),
        ~std::uint64_t{0}, two->header.id - 1}) {
    peer.Send(ReplyTo(id, "stray"));
  }
  peer.Send(ReplyTo(two->header.id, "second"));
  peer.Send(ReplyTo(two->header.id, "second again"));
  peer.Send(ReplyTo(one->header.id, "first"));
  peer.Send(ReplyTo(one->header.id, "first again"));
  EXPECT_EQ(first.get()->payload(), "first");
  EXPECT_EQ(second.get()->payload(), "second");
  // The slot of the first call is used again; its late replies stay without effect.
  Answer third = echo_->Plain(Request("3"), Timeout(10s), asio::use_future);
  const auto three = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(three);
  peer.Send(ReplyTo(one->header.id, "first once more") + ReplyTo(three->header.id, "third"));
  EXPECT_EQ(third.get()->payload(), "third");
}

TEST_P(HostileServer, F27_GiantReplyAndGarbageFailTheirCallsAlone) {
  Begin({.max_attempts = 1});
  Answer giant = echo_->Plain(Request("1"), Timeout(10s), asio::use_future);
  {
    RawPeer peer = Greeted();
    const auto call = peer.Next(FrameType::kRequest);
    ASSERT_TRUE(call);
    peer.Send(HeaderBytes({.type = 3, .body_bytes = 0xFFFFFFF0, .id = call->header.id}));
    EXPECT_TRUE(peer.IsClosedWithin(2s));
  }
  EXPECT_EQ(giant.get().status().code(), StatusCode::kResourceExhausted);
  Answer garbage =
      echo_->Plain(Request("2"), CallOptions().WaitForReady().WithTimeout(10s), asio::use_future);
  RawPeer peer = Greeted();
  const auto call = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(call);
  peer.Send(FrameBytes(FrameType::kResponse, call->header.id, {}, "\xFF\xFF\xFF"));
  EXPECT_EQ(garbage.get().status().code(), StatusCode::kInternal);
  Answer fine = echo_->Plain(Request("3"), Timeout(10s), asio::use_future);
  const auto next = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(next);
  peer.Send(ReplyTo(next->header.id, "fine"));
  EXPECT_TRUE(fine.get().ok());
}

TEST_P(HostileServer, F27_ResetOfEveryConnectionIsMetWithBackoff) {
  Begin({.reconnect_min = 50ms});
  Answer call = echo_->Plain(Request("1"), Timeout(10s), asio::use_future);
  const auto end = std::chrono::steady_clock::now() + 1s;
  int connections = 0;
  while (std::chrono::steady_clock::now() < end) {
    if (!listener_.SomebodyWaits(50ms)) continue;
    RawPeer peer = Greeted();
    ++connections;
    peer.Next(FrameType::kSettings);
    peer.Next(FrameType::kRequest, 20ms);
    peer.Reset();
  }
  EXPECT_EQ(call.get().status().code(), StatusCode::kUnavailable);
  EXPECT_GE(connections, 2);
  EXPECT_LE(connections, 8);  // 50 ms, 80, 128, 205, 328, ...
}

TEST_P(HostileServer, SilenceIsEndedByTimeouts) {
  Begin({.connect_timeout = 200ms});
  const auto start = std::chrono::steady_clock::now();
  const Result<EchoReply> reply = echo_->Plain(Request("x"), Timeout(10s));
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr(listener_.address()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
}

TEST_P(HostileServer, KeepaliveFindsAPeerThatNoLongerAnswers) {
  Begin({.keepalive = 100ms, .keepalive_busy = 100ms, .keepalive_timeout = 200ms});
  Answer call = echo_->Plain(Request("x"), Timeout(20s), asio::use_future);
  RawPeer peer = Greeted();
  ASSERT_TRUE(peer.Next(FrameType::kPing).has_value());
  peer.Send(FrameBytes(FrameType::kPong, 0));
  ASSERT_TRUE(peer.Next(FrameType::kPing).has_value());  // and now nothing
  const Status status = call.get().status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("PING"));
}

TEST_P(HostileServer, IdleConnectionIsClosedDespiteItsKeepalive) {
  Begin({.idle_timeout = 400ms, .keepalive = 50ms, .keepalive_busy = 50ms});
  Answer call = echo_->Plain(Request("x"), Timeout(20s), asio::use_future);
  RawPeer peer = Greeted();
  const auto asked = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(asked);
  peer.Send(ReplyTo(asked->header.id, "x"));
  EXPECT_TRUE(call.get().ok());
  const auto give_up = std::chrono::steady_clock::now() + 5s;
  bool open = true;
  while (open && std::chrono::steady_clock::now() < give_up) {
    open =
        peer.Next(FrameType::kPing, 1s).has_value() && peer.Send(FrameBytes(FrameType::kPong, 0));
  }
  EXPECT_FALSE(open);
}

TEST_P(HostileServer, GoAwaySendsCallsThatDidNotStartElsewhere) {
  auto other = StartEcho("mem://" + Name(), "other");
  channel_.emplace("list://" + listener_.address() + "," + other->address());
  echo_.emplace(*channel_);
  std::vector<Answer> answers;
  for (int i = 0; i < 10; ++i) {
    answers.push_back(echo_->Plain(Request(std::to_string(i)), Timeout(10s), asio::use_future));
  }
  RawPeer peer = Greeted();
  const auto first = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(first && peer.Next(FrameType::kRequest));
  peer.Send(FrameBytes(FrameType::kGoAway, first->header.id));
  peer.Send(ReplyTo(first->header.id, "answered after all"));
  int answered = 0;
  for (Answer& answer : answers) {
    const Result<EchoReply> reply = answer.get();
    ASSERT_TRUE(reply.ok()) << reply.status().ToString();
    if (reply->payload() == "answered after all") ++answered;
  }
  EXPECT_EQ(answered, 1);
}

TEST(Providers, OneThatReturnsIsUsedAgain) {
  const std::uint16_t port = weir::testing::FreePort();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  Channel channel("list://" + address, {.reconnect_min = 20ms, .reconnect_max = 100ms});
  Echo::Stub echo(channel);
  for (int round = 0; round < 3; ++round) {
    const Result<EchoReply> down = echo.Plain(Request("x"));
    EXPECT_EQ(down.status().code(), StatusCode::kUnavailable);
    EXPECT_THAT(std::string(down.status().message()), HasSubstr(address));
    auto server =
        StartEcho("mem://" + Name() + std::to_string(round), "a", nullptr, {.listen = address});
    EXPECT_TRUE(WaitUntil([&] { return echo.Plain(Request("x")).ok(); }, 2s));
    const Result<EchoReply> pinned = echo.Plain(Request("x"), CallOptions().WithProvider(address));
    EXPECT_TRUE(pinned.ok()) << pinned.status().ToString();
    server->Stop();
  }
}

TEST(Providers, PinnedCallToADeadOneIsUnavailableNamingIt) {
  auto alive = StartEcho("mem://" + Name());
  const std::string dead = "127.0.0.1:" + std::to_string(weir::testing::FreePort());
  Channel channel("list://" + alive->address() + "," + dead);
  Echo::Stub echo(channel);
  for (int i = 0; i < 5; ++i) {
    const Result<EchoReply> reply = echo.Plain(Request("x"), CallOptions().WithProvider(dead));
    EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
    EXPECT_THAT(std::string(reply.status().message()), HasSubstr(dead));
    EXPECT_TRUE(echo.Plain(Request("x")).ok());  // balanced calls never notice
  }
  const Result<EchoReply> unknown =
      echo.Plain(Request("x"), CallOptions().WithProvider("10.9.8.7:1"));
  EXPECT_EQ(unknown.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("10.9.8.7:1"));
}

}  // namespace
}  // namespace weir::test
