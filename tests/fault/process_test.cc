// Real processes, killed, drained and starved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "core/echo_service.h"
#include "fault/raw_peer.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::test {
namespace {

using weir::testing::Process;
using weir::testing::WaitUntil;

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

class Processes : public ::testing::Test {
 protected:
  Processes() : registry_("file://" + directory_.Path("registry")) {}

  std::unique_ptr<Process> Start() {
    return std::make_unique<Process>(
        std::vector<std::string>{WEIR_FAULT_PROVIDER, registry_, "127.0.0.1:0"});
  }
  static std::string AddressOf(Process& provider) {
    const auto line = provider.WaitForLine("listening on ", 20s);
    EXPECT_TRUE(line.has_value()) << provider.Errors();
    return line ? line->substr(13) : "";
  }

  weir::testing::TempDir directory_;
  std::string registry_;
};

TEST_F(Processes, F20_KillWithAThousandCallsInFlight) {
  auto victim = Start();
  const std::string address = AddressOf(*victim);
  Channel channel(registry_);
  Echo::Stub echo(channel);
  ASSERT_TRUE(echo.Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(20s)).ok());
  constexpr int kCalls = 1000;
  std::atomic<int> done{0};
  std::atomic<int> unavailable{0};
  std::atomic<int> succeeded{0};
  const auto count = [&](const Result<EchoReply>& reply) {
    if (reply.ok()) ++succeeded;
    if (reply.status().code() == StatusCode::kUnavailable) ++unavailable;
    ++done;
  };
  // The first blocks the provider's only reactor, so that the others are in flight behind it.
  echo.Idempotent(Request("x", 60'000), Timeout(30s), count);
  for (int i = 1; i < kCalls; ++i) {
    if (i % 2 == 0) {
      echo.Idempotent(Request("x"), Timeout(30s), count);
    } else {
      echo.Plain(Request("x"), Timeout(30s), count);
    }
  }
  auto heir = Start();
  AddressOf(*heir);
  ASSERT_TRUE(WaitUntil([&] { return echo.Plain(Request("x"), Timeout(200ms)).ok(); }, 20s));
  EXPECT_EQ(done, 0);
  const auto killed = std::chrono::steady_clock::now();
  victim->Kill();
  // The first is retried, too, and would keep the heir for a minute.
  ASSERT_TRUE(WaitUntil([&] { return done >= kCalls / 2 - 1; }, 10s));
  EXPECT_LT(std::chrono::steady_clock::now() - killed, 1s);
  EXPECT_GE(unavailable, kCalls / 2 - 1);
}

TEST_F(Processes, SigtermUnderLoadLosesNoCall) {
  std::vector<std::unique_ptr<Process>> providers;
  for (int i = 0; i < 2; ++i) {
    providers.push_back(Start());
    AddressOf(*providers.back());
  }
  Channel channel(registry_);
  Echo::Stub echo(channel);
  ASSERT_TRUE(echo.Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(20s)).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      while (!stop) {
        const Result<EchoReply> reply = echo.Coroutine(Request("x", 2), Timeout(20s));
        if (!reply.ok()) {
          ++failed;
          ADD_FAILURE() << reply.status().ToString();
        }
        ++calls;
      }
    });
  }
  EXPECT_TRUE(WaitUntil([&] { return calls > 100; }, 20s));
  providers[0]->Signal(SIGTERM);
  EXPECT_EQ(providers[0]->Wait(20s), 0);
  const int then = calls;
  EXPECT_TRUE(WaitUntil([&] { return calls > then + 100; }, 20s));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 0);
}

TEST_F(Processes, F16_OutOfDescriptorsItSendsPeersAwayAndRecovers) {
  auto provider = Start();
  const std::string address = AddressOf(*provider);
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  // Its connection limit was taken from the limit at its start: what is left now runs out first.
  const rlimit few{64, 64};
  ASSERT_EQ(prlimit(provider->pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  Channel channel("list://" + address);
  Echo::Stub echo(channel);
  ASSERT_TRUE(echo.Plain(Request("x"), Timeout(10s)).ok());
  {
    std::vector<RawPeer> crowd;
    for (int i = 0; i < 300; ++i) crowd.emplace_back(port);
    int closed = 0;
    for (RawPeer& peer : crowd) closed += peer.IsClosedWithin(closed < 236 ? 2s : 0s);
    EXPECT_GE(closed, 236);
    EXPECT_TRUE(echo.Plain(Request("x"), Timeout(5s)).ok());  // who was there stays served
  }
  EXPECT_TRUE(WaitUntil(
      [&] {
        RawPeer late(port);
        return late.SendSettings() && late.Next(wire::FrameType::kSettings, 1s).has_value();
      },
      3s));
}

}  // namespace
}  // namespace weir::test
