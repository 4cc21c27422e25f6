// What calls see of a registry that is silent, ill, or gone at the start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>

#include "core/echo_service.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "weir/log.h"
#include "weir/metrics.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using weir::testing::TempDir;
using weir::testing::WaitUntil;

// A registry that tells what the test wants told, when it wants it.
class Puppet final : public Registry {
 public:
  Result<std::unique_ptr<Registration>> Register(Instance) override {
    return Unimplemented("not here");
  }
  Result<std::unique_ptr<Subscription>> Watch(std::string, ProviderListener listener) override {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
    return std::unique_ptr<Subscription>(std::make_unique<Ended>(*this));
  }
  Status WaitUntilRegistered(std::int64_t) override { return {}; }
  Result<std::vector<std::string>> Services() override { return Unimplemented("not here"); }
  RegistryHealth health() const override {
    return {.connected = false, .since = {}, .trouble = "its strings are tangled"};
  }

  void Tell(std::vector<Provider> providers) {
    std::sort(providers.begin(), providers.end(),
              [](const Provider& a, const Provider& b) { return a.address < b.address; });
    const std::lock_guard lock(mutex_);
    if (listener_) listener_(std::make_shared<const std::vector<Provider>>(std::move(providers)));
  }

 private:
  struct Ended final : Subscription {
    explicit Ended(Puppet& owner) : puppet(owner) {}
    ~Ended() override {
      const std::lock_guard lock(puppet.mutex_);
      puppet.listener_ = nullptr;
    }
    Puppet& puppet;
  };

  std::mutex mutex_;
  ProviderListener listener_;
};

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    Registries().Add("puppet", [this](const RegistryUrl&) -> Result<std::shared_ptr<Registry>> {
      return std::shared_ptr<Registry>(puppet_);
    });
    SetLogSink([this](LogLevel, std::string_view line) {
      const std::lock_guard lock(log_mutex_);
      log_ += std::string(line) + "\n";
    });
  }
  ~DiscoveryTest() override { SetLogSink({}); }

  static std::unique_ptr<Server> Serve(const std::string& name) {
    auto server = std::make_unique<Server>(ServerOptions{.drain_notice = 10ms});
    server->Add(std::make_unique<EchoService>(name));
    EXPECT_TRUE(server->Start().ok());
    return server;
  }
  static Provider At(const Server& server) { return {server.address(), 100}; }
  // Which providers answer, of so many calls.
  static std::set<std::string> Answering(Echo::Stub& echo, int calls) {
    std::set<std::string> names;
    for (int i = 0; i < calls; ++i) {
      const auto reply = echo.Idempotent({});
      names.insert(reply.ok() ? reply->served_by() : reply.status().ToString());
    }
    return names;
  }
  bool Logged(const std::string& text) {
    const std::lock_guard lock(log_mutex_);
    return log_.find(text) != std::string::npos;
  }

  const std::shared_ptr<Puppet> puppet_ = std::make_shared<Puppet>();
  std::mutex log_mutex_;
  std::string log_;
};

TEST_F(DiscoveryTest, ACallDoesNotWaitForASilentRegistryForEver) {
  Channel channel("puppet://p", {.timeout = 20s, .registry_patience = 100ms});
  Echo::Stub echo(channel);
  const auto began = std::chrono::steady_clock::now();
  const auto reply = echo.Plain({});
  EXPECT_EQ(reply.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("puppet://p has not answered"));
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("its strings are tangled"));
  EXPECT_EQ(echo.Plain({}).status().code(), StatusCode::kUnavailable) << "and at once";
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  // Who waits for ready waits until its deadline...
  EXPECT_EQ(echo.Plain({}, Timeout(200ms).WaitForReady()).status().code(),
            StatusCode::kDeadlineExceeded);
  // ...and an answer ends it all.
  const auto server = Serve("a");
  puppet_->Tell({At(*server)});
  EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
}

TEST_F(DiscoveryTest, AWipedRegistryTakesNoProviderThatAnswers) {
  const auto a = Serve("a");
  const auto b = Serve("b");
  auto c = Serve("c");
  Channel channel("puppet://p");
  Echo::Stub echo(channel);
  puppet_->Tell({At(*a), At(*b), At(*c)});
  EXPECT_EQ(Answering(echo, 30), (std::set<std::string>{"a", "b", "c"}));
  puppet_->Tell({});
  EXPECT_EQ(Answering(echo, 30), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(WaitUntil(
      [&] { return Logged("suddenly shows 0 providers of weir.test.Echo, but 3 more answer"); },
      10s));
  EXPECT_THAT(MetricsText(), HasSubstr("weir_channel_kept_providers{registry=\"puppet://p\","
                                       "service=\"weir.test.Echo\"} 3\n"));
  // One that really goes is let go, and fails no call.
  c.reset();
  EXPECT_TRUE(WaitUntil(
      [&] {
        return Answering(echo, 10) == std::set<std::string>{"a", "b"};
      },
      10s));
  EXPECT_TRUE(WaitUntil([&] { return Logged("went out of use; 2 stay"); }, 10s));
  EXPECT_EQ(Answering(echo, 10), (std::set<std::string>{"a", "b"}));
  puppet_->Tell({At(*a), At(*b)});
  EXPECT_TRUE(Logged("shows the providers of weir.test.Echo again"));
  EXPECT_THAT(MetricsText(), HasSubstr("weir_channel_kept_providers{registry=\"puppet://p\","
                                       "service=\"weir.test.Echo\"} 0\n"));
}

TEST_F(DiscoveryTest, ARegistryThatIsIllAgainAndAgainCostsNoConnection) {
  const auto a = Serve("a");
  const auto b = Serve("b");
  Channel channel("puppet://p");
  Echo::Stub echo(channel);
  const std::set<std::string> both = {"a", "b"};
  for (int round = 0; round < 10; ++round) {
    puppet_->Tell({At(*a), At(*b)});
    EXPECT_EQ(Answering(echo, 10), both);
    puppet_->Tell({});
    EXPECT_EQ(Answering(echo, 10), both);
  }
  // Past the moment at which those are let go that have not answered.
  EXPECT_FALSE(WaitUntil([&] { return Answering(echo, 10) != both; }, 3s));
  EXPECT_EQ(a->stats().connections_accepted, 1u) << "too many PINGs make a provider go away";
  EXPECT_EQ(b->stats().connections_accepted, 1u);
}

TEST_F(DiscoveryTest, ProvidersThatWereNeverCalledProveThemselvesToo) {
  const auto a = Serve("a");
  Channel channel("puppet://p");
  Echo::Stub echo(channel);
  puppet_->Tell({At(*a), {"127.0.0.1:1", 100}});
  puppet_->Tell({});
  EXPECT_TRUE(WaitUntil([&] { return Logged("but 1 more answer"); }, 10s));
  EXPECT_EQ(Answering(echo, 10), std::set<std::string>{"a"});
}

TEST_F(DiscoveryTest, WhoComesBackIsConnectedToAtOnce) {
  auto a = Serve("a");
  const std::string address = a->address();
  Channel channel("puppet://p", {.reconnect_min = 20s, .reconnect_max = 20s});
  Echo::Stub echo(channel);
  puppet_->Tell({At(*a)});
  EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
  a.reset();
  EXPECT_TRUE(WaitUntil([&] { return !echo.Idempotent({}).ok(); }, 10s));
  puppet_->Tell({});
  Server again({.listen = address});
  again.Add(std::make_unique<EchoService>("again"));
  ASSERT_TRUE(again.Start().ok());
  puppet_->Tell({At(again)});
  EXPECT_TRUE(WaitUntil([&] { return Answering(echo, 1) == std::set<std::string>{"again"}; }, 10s));
}

TEST_F(DiscoveryTest, WhoVanishesAndReturnsKeepsItsConnection) {
  const auto a = Serve("a");
  const auto b = Serve("b");
  const auto c = Serve("c");
  Channel channel("puppet://p", {.keep_answering = 0s});
  Echo::Stub echo(channel);
  puppet_->Tell({At(*a), At(*b), At(*c)});
  EXPECT_EQ(Answering(echo, 9), (std::set<std::string>{"a", "b", "c"}));
  puppet_->Tell({At(*a)});
  EXPECT_EQ(Answering(echo, 9), std::set<std::string>{"a"});
  puppet_->Tell({At(*a), At(*b), At(*c)});
  EXPECT_EQ(Answering(echo, 9), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(b->stats().connections_accepted, 1u);
  EXPECT_EQ(c->stats().connections_accepted, 1u);
}

TEST_F(DiscoveryTest, RegistriesAreInTheMetricsAsLongAsTheyAreOpen) {
  {
    const auto one = Registries().Open("mem://metrics");
    ASSERT_TRUE(one.ok());
    EXPECT_THAT(MetricsText(), HasSubstr("weir_registry_open{registry=\"mem://metrics\"} 1\n"));
    EXPECT_THAT(MetricsText(),
                HasSubstr("weir_registry_connected{registry=\"mem://metrics\"} 1\n"));
    const auto puppet = Registries().Open("puppet://p");
    EXPECT_THAT(MetricsText(), HasSubstr("weir_registry_connected{registry=\"puppet://p\"} 0\n"));
  }
  EXPECT_THAT(MetricsText(), Not(HasSubstr("mem://metrics")));
}

TEST_F(DiscoveryTest, WhereItIsSwitchedOffAnEmptyListIsBelieved) {
  const auto a = Serve("a");
  Channel channel("puppet://p", {.keep_answering = 0s});
  Echo::Stub echo(channel);
  puppet_->Tell({At(*a)});
  EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
  puppet_->Tell({});
  const auto reply = echo.Idempotent({});
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("no provider of weir.test.Echo"));
}

TEST_F(DiscoveryTest, AStartWithoutTheRegistryUsesTheListOnDisk) {
  TempDir directory;
  const auto a = Serve("a");
  const ChannelOptions options{.timeout = 20s, .provider_cache = directory.Path("cache")};
  {
    Channel channel("puppet://p", options);
    Echo::Stub echo(channel);
    puppet_->Tell({At(*a)});
    EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
    // An empty list is not worth keeping.
    puppet_->Tell({});
  }
  Channel channel("puppet://p", options);
  Echo::Stub echo(channel);
  EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
  EXPECT_TRUE(Logged("its strings are tangled"));
  EXPECT_TRUE(Logged("using the 1 provider of weir.test.Echo that were kept"));
  EXPECT_THAT(MetricsText(), HasSubstr("weir_channel_cache_age_seconds"));
  // The registry comes, and knows better.
  const auto b = Serve("b");
  puppet_->Tell({At(*b), {"127.0.0.1:1", 0}});
  EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"b"});
}

TEST_F(DiscoveryTest, ADamagedListOnDiskIsReportedAndNotUsed) {
  TempDir directory;
  const auto a = Serve("a");
  const ChannelOptions options{.registry_patience = 100ms,
                               .provider_cache = directory.path().string()};
  {
    Channel channel("puppet://p", options);
    Echo::Stub echo(channel);
    puppet_->Tell({At(*a)});
    EXPECT_EQ(Answering(echo, 3), std::set<std::string>{"a"});
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    std::filesystem::resize_file(entry.path(), 30);
  }
  Channel channel("puppet://p", options);
  Echo::Stub echo(channel);
  EXPECT_EQ(echo.Plain({}).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(Logged("is damaged"));
}

}  // namespace
}  // namespace weir::test
