// Providers that fail or fall silent get no calls, and come back.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "fault/function_echo.h"
#include "fault/steady_load.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/metrics.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using weir::testing::Process;
using weir::testing::WaitUntil;

constexpr const char* kService = "weir.test.Echo";

ProviderState StateOf(const Channel& channel, const std::string& address) {
  for (const ProviderState& one : channel.Providers(kService)) {
    if (one.address == address) return one;
  }
  return {};
}

// Echo servers of this process; each answers with the code it is told to.
class FailingServers : public ::testing::Test {
 protected:
  explicit FailingServers(int count = 3) {
    static std::atomic<int> number{0};
    registry_ = "mem://outliers-" + std::to_string(++number);
    for (int i = 0; i < count; ++i) {
      auto& one = servers_.emplace_back(std::make_unique<One>());
      one->server = std::make_unique<Server>(ServerOptions{.threads = {.reactors = 1}});
      const auto answer = [self = one.get()](ServerContext&,
                                             const EchoRequest&) -> Result<EchoReply> {
        ++self->calls;
        if (self->code != 0) return Status(static_cast<StatusCode>(self->code.load()), "as told");
        return EchoReply();
      };
      one->server->Add(std::make_unique<FunctionEcho>(
          answer, [](ServerContext&, const EchoRequest&, weir::Reply<EchoReply>) {}));
      one->server->RegisterAt(registry_);
      EXPECT_TRUE(one->server->Start().ok());
    }
    // As the channel has them.
    std::sort(servers_.begin(), servers_.end(), [](const auto& a, const auto& b) {
      return a->server->address() < b->server->address();
    });
  }
  void TearDown() override { servers_.clear(); }

  struct One {
    std::atomic<int> code{0};
    std::atomic<int> calls{0};
    std::unique_ptr<Server> server;
  };
  std::string AddressOf(std::size_t i) const { return servers_[i]->server->address(); }

  // Calls until each has been called; returns how many failed.
  static int Call(const Echo::Stub& echo, int times, CallOptions options = {}) {
    int failed = 0;
    for (int i = 0; i < times; ++i) failed += !echo.Plain({}, CallOptions(options)).ok();
    return failed;
  }

  std::string registry_;
  std::vector<std::unique_ptr<One>> servers_;
};

class FailingCode : public FailingServers, public ::testing::WithParamInterface<StatusCode> {};
INSTANTIATE_TEST_SUITE_P(Codes, FailingCode,
                         ::testing::Values(StatusCode::kUnavailable, StatusCode::kInternal,
                                           StatusCode::kUnknown, StatusCode::kDataLoss,
                                           StatusCode::kResourceExhausted));

TEST_P(FailingCode, AFastFailingProviderIsEjectedAndComesBack) {
  Channel channel(registry_, {.outlier_ejection = {.base_time = 300ms}});
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  servers_[1]->code = static_cast<int>(GetParam());
  // Blocking calls one after the other: the fifth failure is followed by the review.
  int failed = 0;
  EXPECT_TRUE(WaitUntil(
      [&] {
        failed += Call(echo, 1);
        return StateOf(channel, AddressOf(1)).ejected;
      },
      10s));
  EXPECT_GE(failed, 5);
  EXPECT_LE(failed, 60);
  EXPECT_NE(MetricsText().find("weir_channel_ejections_total{registry=\"" + registry_ +
                               "\",service=\"weir.test.Echo\",rule=\"failures_in_a_row\"} 1"),
            std::string::npos)
      << MetricsText();
  // Trials cost a call each.
  const int before = servers_[1]->calls;
  const auto began = std::chrono::steady_clock::now();
  int calls = 0;
  failed = 0;
  for (; std::chrono::steady_clock::now() - began < 1500ms; ++calls) failed += Call(echo, 1);
  EXPECT_GE(servers_[1]->calls - before, 1);
  EXPECT_LE(failed, 6) << "of " << calls;
  servers_[1]->code = 0;
  EXPECT_TRUE(WaitUntil(
      [&] {
        EXPECT_EQ(Call(echo, 1), 0);
        return !StateOf(channel, AddressOf(1)).ejected;
      },
      20s));
  const int then = servers_[1]->calls;
  EXPECT_EQ(Call(echo, 90), 0);
  EXPECT_EQ(servers_[1]->calls - then, 30);
}

TEST_F(FailingServers, ErrorsOfTheCallersOwnEjectNobody) {
  Channel channel(registry_);
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  servers_[1]->code = static_cast<int>(StatusCode::kNotFound);
  const int before = servers_[1]->calls;
  EXPECT_EQ(Call(echo, 300), 100);
  EXPECT_EQ(servers_[1]->calls - before, 100);
  EXPECT_FALSE(StateOf(channel, AddressOf(1)).ejected);
}

TEST_F(FailingServers, AFleetThatFailsIsNotEjected) {
  Channel channel(registry_);
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  for (auto& one : servers_) one->code = static_cast<int>(StatusCode::kUnavailable);
  EXPECT_EQ(Call(echo, 300), 300);
  for (auto& one : servers_) one->code = 0;
  EXPECT_EQ(Call(echo, 30), 0);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(StateOf(channel, AddressOf(i)).ejected);
    EXPECT_GE(servers_[i]->calls, 100);
  }
}

TEST_F(FailingServers, BelowThePanicThresholdEjectionsAreIgnored) {
  // A list that keeps who leaves.
  Channel channel("list://" + AddressOf(0) + "," + AddressOf(1) + "," + AddressOf(2),
                  {.outlier_ejection = {.base_time = 300s}});
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  servers_[0]->code = static_cast<int>(StatusCode::kInternal);
  EXPECT_TRUE(WaitUntil(
      [&] {
        Call(echo, 1);
        return StateOf(channel, AddressOf(0)).ejected;
      },
      10s));
  EXPECT_TRUE(WaitUntil([&] { return Call(echo, 10) == 0; }, 5s));
  // One of three is left: less than half.
  servers_[1]->server->Stop();
  const int before = servers_[0]->calls;
  EXPECT_TRUE(WaitUntil(
      [&] {
        Call(echo, 1);
        return servers_[0]->calls > before;
      },
      10s));
}

TEST_F(FailingServers, BoundCallsGoToAnEjectedProviderAndCount) {
  Channel channel(registry_, {.outlier_ejection = {.base_time = 300s}});
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  servers_[2]->code = static_cast<int>(StatusCode::kInternal);
  const CallOptions bound = CallOptions().WithProvider(AddressOf(2));
  EXPECT_TRUE(WaitUntil(
      [&] {
        EXPECT_EQ(Call(echo, 1, bound), 1);
        return StateOf(channel, AddressOf(2)).ejected;
      },
      10s));
  servers_[2]->code = 0;
  const int before = servers_[2]->calls;
  EXPECT_EQ(Call(echo, 20, bound), 0);
  EXPECT_EQ(servers_[2]->calls, before + 20);
}

TEST_F(FailingServers, NobodyIsEjectedIfItIsSwitchedOff) {
  Channel channel(registry_, {.outlier_ejection = {.enabled = false}});
  const Echo::Stub echo(channel);
  EXPECT_EQ(Call(echo, 30, CallOptions().WaitForReady()), 0);
  servers_[1]->code = static_cast<int>(StatusCode::kInternal);
  EXPECT_EQ(Call(echo, 300), 100);
}

TEST(OutlierOptions, MistakesAreNamed) {
  const auto status = [](OutlierEjection options) {
    return Channel("list://127.0.0.1:1", {.outlier_ejection = options}).status().ToString();
  };
  EXPECT_NE(status({.error_rate = 1.5}).find("outlier_ejection.error_rate 1.5"), std::string::npos);
  EXPECT_NE(status({.base_time = 0s}).find("outlier_ejection.base_time"), std::string::npos);
  EXPECT_NE(status({.max_time = 1s}).find("outlier_ejection.max_time"), std::string::npos);
  EXPECT_NE(status({.max_ejected_percent = 101}).find("max_ejected_percent"), std::string::npos);
}

class StoppedProcess : public ::testing::Test {
 protected:
  StoppedProcess() : registry_("file://" + directory_.Path("registry")) {
    for (int i = 0; i < 3; ++i) {
      auto& provider = providers_.emplace_back(std::make_unique<Process>(
          std::vector<std::string>{WEIR_FAULT_PROVIDER, registry_, "127.0.0.1:0"}));
      const auto line = provider->WaitForLine("listening on ", 20s);
      if (!line) throw std::runtime_error(provider->Errors());
      addresses_.push_back(line->substr(13));
    }
  }
  ~StoppedProcess() override {
    for (auto& provider : providers_) provider->Signal(SIGCONT);
  }

  weir::testing::TempDir directory_;
  std::string registry_;
  std::vector<std::unique_ptr<Process>> providers_;
  std::vector<std::string> addresses_;
};

// Deadlines below and above the time of silence.
class F21_StoppedProcess : public StoppedProcess,
                           public ::testing::WithParamInterface<std::chrono::milliseconds> {};
INSTANTIATE_TEST_SUITE_P(Deadlines, F21_StoppedProcess, ::testing::Values(300ms, 1000ms, 20'000ms),
                         [](const auto& deadline) {
                           return std::to_string(deadline.param.count()) + "_ms";
                         });

TEST_P(F21_StoppedProcess, GetsNoCallsUntilItGoesOn) {
  SteadyLoad load(registry_, {.calls_per_second = 300, .timeout = GetParam()});
  ASSERT_TRUE(load.AwaitAnswersFrom(addresses_, 20s));
  const auto stopped = LoadTally::Clock::now();
  providers_[1]->Signal(SIGSTOP);
  // Calls started later than this find it ejected.
  const auto shed = stopped + 3s;
  ASSERT_TRUE(WaitUntil([&] { return LoadTally::Clock::now() > shed + 3s; }, 10s));
  const auto resumed = LoadTally::Clock::now();
  providers_[1]->Signal(SIGCONT);
  const bool is_back = load.AwaitAnswersFrom({addresses_[1]}, 10s, 20);
  const auto back = LoadTally::Clock::now();
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(is_back);
  EXPECT_LT(back - resumed, 10s);
  EXPECT_EQ(tally.FailedSince(shed), 0) << tally.ToString();
  // A third of what was started until it was noticed.
  EXPECT_LE(tally.FailedBetween(stopped - 1s, shed), 300) << tally.ToString();
}

TEST_F(StoppedProcess, ASlowHandlerIsNotASilentProvider) {
  SteadyLoad load(registry_, {.calls_per_second = 100, .timeout = 20s});
  ASSERT_TRUE(load.AwaitAnswersFrom(addresses_, 20s));
  Channel channel(registry_);
  const Echo::Stub echo(channel);
  EchoRequest slow;
  slow.set_delay_ms(4000);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(echo.Plain({}, CallOptions().WaitForReady()).ok());
  std::atomic<int> ended{0};
  for (int i = 0; i < 3; ++i) {
    echo.Coroutine(slow, CallOptions().WithProvider(addresses_[0]).WithTimeout(20s),
                   [&](const Result<EchoReply>& reply) {
                     EXPECT_TRUE(reply.ok());
                     ++ended;
                   });
  }
  bool ever = false;
  EXPECT_TRUE(WaitUntil(
      [&] {
        EXPECT_TRUE(echo.Plain({}).ok());
        ever = ever || StateOf(channel, addresses_[0]).ejected;
        return ended == 3;
      },
      20s));
  EXPECT_FALSE(ever);
}

}  // namespace
}  // namespace weir::test
