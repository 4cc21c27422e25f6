// Frames over real sockets, however the stream is cut: on the server's side and on the client's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/use_future.hpp>
#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"

namespace weir::test {
namespace {

using testing::WaitUntil;
using wire::FrameType;
using Answer = std::future<Result<EchoReply>>;

constexpr std::string_view kPlain = "weir.test.Echo/Plain";

EchoRequest Request(std::string payload) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  return request;
}

std::string RequestBytes(std::uint64_t id, const std::string& payload, std::string_view method,
                         std::string_view attachment = {}) {
  wire::RequestMeta meta;
  meta.method_id = 1;
  meta.method = method;
  meta.timeout_us = 60'000'000;
  return FrameBytes(FrameType::kRequest, id, EncodeMeta(meta), Request(payload).SerializeAsString(),
                    attachment);
}

std::string ReplyBytes(std::uint64_t id, const std::string& payload,
                       std::string_view attachment = {}) {
  EchoReply reply;
  reply.set_payload(payload);
  return FrameBytes(FrameType::kResponse, id, {}, reply.SerializeAsString(), attachment);
}

std::string PayloadOf(const RawFrame& response) {
  EchoReply reply;
  EXPECT_TRUE(reply.ParseFromString(response.body));
  return reply.payload();
}

// A server whose only thread has read what was sent before, once Settle has returned: another
// connection's call came later and was answered.
class ServerStreams : public ::testing::Test {
 protected:
  ServerStreams()
      : server_(StartEcho("mem://server-streams", "a", nullptr,
                          {.threads = {.model = ThreadModel::kSingleReactor}})),
        channel_("list://" + server_->address()),
        other_(channel_) {}

  void Settle() { ASSERT_TRUE(other_.Plain(Request("settle")).ok()); }

  std::unique_ptr<Server> server_;
  Channel channel_;
  Echo::Stub other_;
};

TEST_F(ServerStreams, F6_EverySplitOfRequestsGivesTheSameReplies) {
  const std::string attachment(97, 'A');
  const std::string stream = FrameBytes(FrameType::kSettings, 0) + RequestBytes(1, "one", kPlain) +
                             RequestBytes(3, "", "") + FrameBytes(FrameType::kPing, 7) +
                             RequestBytes(5, "with an attachment", "", attachment) +
                             RequestBytes(7, "last", "");
  const std::pair<std::string, std::string> expected[] = {
      {"one", ""}, {"", ""}, {"with an attachment", attachment}, {"last", ""}};
  for (std::size_t split = 1; split < stream.size(); ++split) {
    RawPeer peer(server_->port());
    ASSERT_TRUE(peer.Send(std::string_view(stream).substr(0, split)));
    Settle();
    ASSERT_TRUE(peer.Send(std::string_view(stream).substr(split)));
    std::uint64_t id = 1;
    for (const auto& [payload, returned] : expected) {
      const auto reply = peer.Next(FrameType::kResponse);
      ASSERT_TRUE(reply) << "split at " << split;
      ASSERT_EQ(reply->header.id, id) << "split at " << split;
      ASSERT_EQ(PayloadOf(*reply), payload) << "split at " << split;
      ASSERT_EQ(reply->attachment, returned) << "split at " << split;
      id += 2;
    }
  }
  EXPECT_EQ(server_->stats().protocol_errors, 0u);
}

TEST_F(ServerStreams, F6_EveryByteMayComeAlone) {
  RawPeer peer(server_->port());
  const std::string stream =
      FrameBytes(FrameType::kSettings, 0) + RequestBytes(1, "bytewise", kPlain, "attached");
  for (const char byte : stream) {
    ASSERT_TRUE(peer.Send({&byte, 1}));
    Settle();
  }
  const auto reply = peer.Next(FrameType::kResponse);
  ASSERT_TRUE(reply);
  EXPECT_EQ(PayloadOf(*reply), "bytewise");
  EXPECT_EQ(reply->attachment, "attached");
}

TEST_F(ServerStreams, F6_EveryMergeOfRequestsIsAnsweredInOrder) {
  constexpr std::size_t kFrames = 1000;
  for (const std::size_t merged : {1u, 2u, 3u, 7u, 64u, 1000u}) {
    RawPeer peer(server_->port());
    ASSERT_TRUE(peer.SendSettings());
    std::string together;
    for (std::size_t i = 0; i < kFrames; ++i) {
      together += RequestBytes(2 * i + 1, std::to_string(i), i == 0 ? kPlain : "");
      if ((i + 1) % merged != 0 && i + 1 != kFrames) continue;
      ASSERT_TRUE(peer.Send(together));
      together.clear();
    }
    for (std::size_t i = 0; i < kFrames; ++i) {
      const auto reply = peer.Next(FrameType::kResponse);
      ASSERT_TRUE(reply);
      ASSERT_EQ(reply->header.id, 2 * i + 1) << merged << " at once";
      ASSERT_EQ(PayloadOf(*reply), std::to_string(i));
    }
  }
}

// A client of one thread, and the server it talks to by hand; Settle as above.
class ClientStreams : public ::testing::Test {
 protected:
  ClientStreams()
      : runtime_(std::make_shared<Runtime>(
            ThreadOptions{.model = ThreadModel::kMultiReactor, .reactors = 1})),
        server_(StartEcho("mem://client-streams")),
        settling_("list://" + server_->address(), {.runtime = runtime_}),
        other_(settling_),
        channel_("list://" + listener_.address(), {.timeout = 20s, .runtime = runtime_}),
        echo_(channel_) {}

  void Settle() { ASSERT_TRUE(other_.Plain(Request("settle")).ok()); }
  // With SETTINGS that allow so many calls at once.
  RawPeer Greeted(std::uint32_t max_calls = 10'000) {
    RawPeer peer = listener_.Accept();
    const wire::SettingsMeta settings{
        .max_message_bytes = 16u << 20, .max_attachment_bytes = 64u << 20, .max_calls = max_calls};
    std::string meta(wire::SettingsMeta::kMaxBytes, '\0');
    meta.resize(settings.Encode(meta.data()));
    EXPECT_TRUE(peer.Send(FrameBytes(FrameType::kSettings, 0, meta)));
    return peer;
  }
  static std::string Asked(const RawFrame& request) {
    EchoRequest asked;
    EXPECT_TRUE(asked.ParseFromString(request.body));
    return asked.payload();
  }

  RawListener listener_;
  std::shared_ptr<Runtime> runtime_;
  std::unique_ptr<Server> server_;
  Channel settling_;
  Echo::Stub other_;
  Channel channel_;
  Echo::Stub echo_;
};

TEST_F(ClientStreams, F6_EverySplitOfRepliesReachesTheSameCallers) {
  const std::string attachment(113, 'R');
  const std::string payloads[] = {"first", "", "third, with an attachment", "4"};
  constexpr std::size_t kOrder[] = {2, 0, 3, 1};  // replies may come in any order
  std::optional<RawPeer> peer;
  std::size_t length = 1;
  for (std::size_t split = 0; split < length; ++split) {
    std::vector<Answer> answers;
    Buffer returned[4];
    for (std::size_t i = 0; i < 4; ++i) {
      answers.push_back(echo_.Plain(Request(std::to_string(i)),
                                    CallOptions().WithTimeout(20s).ReceiveAttachment(&returned[i]),
                                    asio::use_future));
    }
    if (!peer) peer.emplace(Greeted());
    std::uint64_t ids[4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
      const auto request = peer->Next(FrameType::kRequest);
      ASSERT_TRUE(request);
      ids[std::stoul(Asked(*request))] = request->header.id;
    }
    std::string stream = FrameBytes(FrameType::kPing, 5);
    for (const std::size_t i : kOrder) {
      stream += ReplyBytes(ids[i], payloads[i], i == 2 ? attachment : "");
    }
    length = stream.size();
    ASSERT_TRUE(peer->Send(std::string_view(stream).substr(0, split)));
    Settle();
    ASSERT_TRUE(peer->Send(std::string_view(stream).substr(split)));
    for (std::size_t i = 0; i < 4; ++i) {
      const auto reply = answers[i].get();
      ASSERT_TRUE(reply.ok()) << "split at " << split << ": " << reply.status().ToString();
      ASSERT_EQ(reply->payload(), payloads[i]) << "split at " << split;
      ASSERT_EQ(returned[i].ToString(), i == 2 ? attachment : "") << "split at " << split;
    }
  }
  EXPECT_GT(length, 300u);
}

TEST_F(ClientStreams, F6_EveryMergeOfRepliesReachesItsCaller) {
  constexpr std::size_t kCalls = 1000;
  std::optional<RawPeer> peer;
  for (const std::size_t merged : {1u, 2u, 3u, 7u, 64u, 1000u}) {
    std::atomic<std::size_t> right{0};
    std::atomic<std::size_t> ended{0};
    for (std::size_t i = 0; i < kCalls; ++i) {
      echo_.Plain(Request(std::to_string(i)), {}, [&, i](Result<EchoReply> reply) {
        right += reply.ok() && reply->payload() == std::to_string(i) ? 1 : 0;
        ++ended;
      });
    }
    if (!peer) peer.emplace(Greeted());
    std::string together;
    for (std::size_t i = 0; i < kCalls; ++i) {
      const auto request = peer->Next(FrameType::kRequest);
      ASSERT_TRUE(request);
      // What one thread asked one after the other arrives in that order.
      ASSERT_EQ(Asked(*request), std::to_string(i));
      together += ReplyBytes(request->header.id, std::to_string(i));
      if ((i + 1) % merged != 0 && i + 1 != kCalls) continue;
      ASSERT_TRUE(peer->Send(together));
      together.clear();
    }
    ASSERT_TRUE(WaitUntil([&] { return ended == kCalls; }, 20s));
    EXPECT_EQ(right, kCalls) << merged << " at once";
  }
}

TEST_F(ClientStreams, CallsThatWaitInLineMayBeCancelledRunOutOfTimeOrBeSentInOrder) {
  Answer running = echo_.Plain(Request("running"), {}, asio::use_future);
  RawPeer peer = Greeted(/*max_calls=*/1);
  const auto first = peer.Next(FrameType::kRequest);
  ASSERT_TRUE(first);
  Answer late = echo_.Plain(Request("late"), Timeout(50ms), asio::use_future);
  asio::cancellation_signal cancel;
  std::promise<Status> cancelled;
  echo_.Plain(Request("cancelled"), {},
              asio::bind_cancellation_slot(cancel.slot(), [&](Result<EchoReply> reply) {
                cancelled.set_value(reply.status());
              }));
  std::vector<Answer> in_line;
  for (int i = 0; i < 5; ++i) {
    in_line.push_back(echo_.Plain(Request(std::to_string(i)), {}, asio::use_future));
  }
  cancel.emit(asio::cancellation_type::total);
  EXPECT_EQ(cancelled.get_future().get().code(), StatusCode::kCancelled);
  EXPECT_EQ(late.get().status().code(), StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(peer.Send(ReplyBytes(first->header.id, "running")));
  EXPECT_TRUE(running.get().ok());
  for (int i = 0; i < 5; ++i) {
    const auto next = peer.Next();  // whatever it is: those two left nothing on the wire
    ASSERT_TRUE(next);
    ASSERT_EQ(next->type(), FrameType::kRequest);
    EXPECT_EQ(Asked(*next), std::to_string(i));
    ASSERT_TRUE(peer.Send(ReplyBytes(next->header.id, "")));
    EXPECT_TRUE(in_line[static_cast<std::size_t>(i)].get().ok());
  }
}

TEST_F(ClientStreams, AProviderThatDoesNotReadHoldsCallsBackUntilItDoes) {
  ChannelOptions options;
  options.timeout = 60s;
  options.max_waiting_calls = 10;
  options.socket.send_buffer = 65'536;
  Channel channel("list://" + listener_.address(), options);
  Echo::Stub echo(channel);
  std::atomic<int> succeeded{0};
  std::atomic<int> refused{0};
  std::atomic<int> otherwise{0};
  int made = 0;
  const std::string payload(256 * 1024, 'p');
  const auto call = [&] {
    echo.Plain(Request(payload + std::to_string(made++)), {}, [&](Result<EchoReply> reply) {
      if (reply.ok()) {
        ++succeeded;
      } else if (reply.status().code() == StatusCode::kResourceExhausted) {
        ++refused;
      } else {
        ++otherwise;
      }
    });
  };
  call();
  RawPeer peer = Greeted();
  ASSERT_TRUE(WaitUntil(
      [&] {
        call();
        return refused > 0;
      },
      20s));
  // 1 MiB unwritten, ten in line, and what the kernel takes of a peer that does not read.
  EXPECT_LT(made, 100);
  EXPECT_EQ(succeeded, 0);
  for (int i = 0; succeeded + refused + otherwise < made && i < made; ++i) {
    const auto request = peer.Next(FrameType::kRequest, 1s);
    if (!request) continue;
    EXPECT_EQ(Asked(*request), payload + std::to_string(i));
    ASSERT_TRUE(peer.Send(ReplyBytes(request->header.id, "")));
  }
  EXPECT_TRUE(WaitUntil([&] { return succeeded + refused == made; }, 10s));
  EXPECT_EQ(otherwise, 0);
}

}  // namespace
}  // namespace weir::test
