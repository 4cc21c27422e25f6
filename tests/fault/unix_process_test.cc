// Providers behind Unix-domain sockets, killed and drained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "core/echo_service.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using testing::Process;
using testing::WaitUntil;

EchoRequest Request(std::string payload, int delay_ms = 0) {
  EchoRequest request;
  request.set_payload(std::move(payload));
  request.set_delay_ms(delay_ms);
  return request;
}

class UnixProcesses : public ::testing::Test {
 protected:
  std::string Address(const std::string& name) const { return "unix:" + directory_.Path(name); }
  std::unique_ptr<Process> Start(const std::string& address) {
    auto provider = std::make_unique<Process>(
        std::vector<std::string>{WEIR_FAULT_PROVIDER, registry_, address});
    EXPECT_TRUE(provider->WaitForLine("listening on " + address, 20s)) << provider->Errors();
    return provider;
  }

  testing::TempDir directory_;
  std::string registry_ = "file://" + directory_.Path("registry");
};

TEST_F(UnixProcesses, AServerThatWasKilledIsSucceededOnItsPath) {
  const std::string address = Address("a.sock");
  Channel channel("list://" + address);
  Echo::Stub echo(channel);
  auto provider = Start(address);
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(echo.Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(20s)).ok());
    std::atomic<int> ended{0};
    std::atomic<int> failed{0};
    constexpr int kCalls = 100;
    for (int i = 0; i < kCalls; ++i) {
      // The first keeps the provider's only reactor busy.
      echo.Plain(Request("x", i == 0 ? 60'000 : 0), Timeout(30s), [&](Result<EchoReply> reply) {
        failed += reply.status().code() == StatusCode::kUnavailable ? 1 : 0;
        ++ended;
      });
    }
    provider->Kill();
    ASSERT_TRUE(WaitUntil([&] { return ended == kCalls; }, 10s));
    EXPECT_EQ(failed, kCalls);
    EXPECT_TRUE(std::filesystem::exists(directory_.Path("a.sock")));
    provider = Start(address);
  }
  ASSERT_TRUE(echo.Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(20s)).ok());
  provider->Signal(SIGTERM);
  EXPECT_EQ(provider->Wait(20s), 0);
  EXPECT_FALSE(std::filesystem::exists(directory_.Path("a.sock")));
}

TEST_F(UnixProcesses, ARollingRestartLosesNoCall) {
  std::vector<std::unique_ptr<Process>> providers;
  for (const char* name : {"a.sock", "b.sock"}) providers.push_back(Start(Address(name)));
  Channel channel(registry_);
  Echo::Stub echo(channel);
  ASSERT_TRUE(echo.Plain(Request("x"), CallOptions().WaitForReady().WithTimeout(20s)).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> done{0};
  std::vector<std::string> failures;
  std::thread caller([&] {
    while (!stop) {
      const auto reply = echo.Plain(Request("x"));
      if (!reply.ok()) failures.push_back(reply.status().ToString());
      ++done;
    }
  });
  for (std::size_t i = 0; i < providers.size(); ++i) {
    const int before = done;
    ASSERT_TRUE(WaitUntil([&] { return done > before + 50; }, 20s));
    providers[i]->Signal(SIGTERM);
    EXPECT_EQ(providers[i]->Wait(20s), 0);
    const std::string address = Address(i == 0 ? "a.sock" : "b.sock");
    providers[i] = Start(address);
    // Its heir is called before the next one leaves.
    ASSERT_TRUE(WaitUntil(
        [&] {
          const auto reply = echo.Plain(Request("x"));
          return reply.ok() && reply->served_by() == address;
        },
        20s));
  }
  stop = true;
  caller.join();
  EXPECT_TRUE(failures.empty()) << failures.size() << " calls, the first: " << failures[0];
}

}  // namespace
}  // namespace weir::test
