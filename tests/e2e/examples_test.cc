// The programs of examples/, started as a user would start them.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "e2e/examples.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// A port that is taken for as long as this object lives.
class TakenPort {
 public:
  TakenPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, any, size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, any, &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~TakenPort() { ::close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

  const std::string& address() const noexcept { return address_; }

 private:
  int socket_;
  std::string address_;
};

class Greeter : public ::testing::Test {
 protected:
  TempDir directory_;
  std::string registry_ = "file://" + directory_.Path("registry");
};

TEST_F(Greeter, EveryProviderServesItsShare) {
  Process first({WEIR_GREETER_PROVIDER, "--registry", registry_});
  Process second({WEIR_GREETER_PROVIDER, "--registry", registry_});
  const std::string here = AwaitServing(first);
  const std::string there = AwaitServing(second);
  AwaitGreeters(registry_, {here, there});

  Process consumer(
      {WEIR_GREETER_CONSUMER, "--registry", registry_, "--calls", "10", "Ada", "Grace"});
  EXPECT_EQ(consumer.Wait(kPatience), 0) << consumer.Errors();
  const std::string output = consumer.Output();
  EXPECT_THAT(output, HasSubstr("Hello, Ada! (from "));
  EXPECT_THAT(output, HasSubstr("Hello, Grace! (from "));
  EXPECT_THAT(output, HasSubstr(here + " served 5 of 10 calls\n"));
  EXPECT_THAT(output, HasSubstr(there + " served 5 of 10 calls\n"));
  EXPECT_THAT(output, HasSubstr("Hello, coroutine!\n"));
  EXPECT_EQ(consumer.Errors(), "");
}

TEST_F(Greeter, WeightsDecideWhoServesMore) {
  Process strong({WEIR_GREETER_PROVIDER, "--registry", registry_, "--weight", "300"});
  Process weak({WEIR_GREETER_PROVIDER, "--registry", registry_, "--weight", "100"});
  const std::string here = AwaitServing(strong);
  const std::string there = AwaitServing(weak);
  AwaitGreeters(registry_, {here, there});

  Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry_, "--calls", "40"});
  EXPECT_EQ(consumer.Wait(kPatience), 0) << consumer.Errors();
  EXPECT_THAT(consumer.Output(), HasSubstr(here + " served 30 of 40 calls\n"));
  EXPECT_THAT(consumer.Output(), HasSubstr(there + " served 10 of 40 calls\n"));
}

TEST_F(Greeter, ConsumerThatComesFirstWaitsForAProvider) {
  Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry_, "--wait", "60"});
  Process provider({WEIR_GREETER_PROVIDER, "--registry", registry_});
  EXPECT_EQ(consumer.Wait(kPatience), 0) << consumer.Errors();
  EXPECT_THAT(consumer.Output(), HasSubstr(AwaitServing(provider) + " served 6 of 6 calls\n"));
}

TEST_F(Greeter, ProviderLeavesOnSigtermAndTakesItsAnnouncementAlong) {
  Process provider({WEIR_GREETER_PROVIDER, "--registry", registry_});
  AwaitGreeters(registry_, {AwaitServing(provider)});
  provider.Signal(SIGTERM);
  EXPECT_EQ(provider.Wait(kPatience), 0) << provider.Errors();
  Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry_, "--wait", "0.1"});
  EXPECT_EQ(consumer.Wait(kPatience), 1);
  EXPECT_THAT(consumer.Errors(),
              HasSubstr("no provider of greeter.Greeter is registered at file://"));
}

struct Refusal {
  std::vector<std::string> arguments;
  std::string told;  // on standard error
};

// Starts `program` with each of these mistakes: it must end by itself with one line that says why.
void ExpectRefusals(const std::string& program, const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    std::vector<std::string> command = {program};
    command.insert(command.end(), refusal.arguments.begin(), refusal.arguments.end());
    SCOPED_TRACE(::testing::PrintToString(command));
    Process process(command);
    const auto exit_code = process.Wait(kPatience);
    ASSERT_TRUE(exit_code.has_value()) << "it still runs";
    EXPECT_NE(*exit_code, 0);
    EXPECT_EQ(process.Output(), "");
    EXPECT_THAT(process.Errors(), ContainsRegex("^error: [^\n]*\n$"));
    EXPECT_THAT(process.Errors(), HasSubstr(refusal.told));
  }
}

TEST_F(Greeter, ConsumerNamesWhatIsWrong) {
  ExpectRefusals(
      WEIR_GREETER_CONSUMER,
      {{{"--regstry", "x"}, "--regstry"},
       {{"--calls", "many"}, "--calls = many"},
       {{"--registry", registry_, "--strategy", "best"},
        "unknown load balance 'best'; known: consistent_hash, "},
       {{"--registry", registry_, "--strategy", "consistent_hash:vnodes=lots"},
        "'vnodes' is 'lots'"},
       {{"--registry", "pigeon://coop"}, "unknown scheme 'pigeon'; known: file, list, mem"},
       {{"--registry", "coop"}, "registry 'coop': expected scheme://"},
       {{"--registry", registry_, "--wait", "0.1"}, "no provider of greeter.Greeter"}});
}

TEST_F(Greeter, ProviderNamesWhatIsWrong) {
  const TakenPort taken;
  ExpectRefusals(
      WEIR_GREETER_PROVIDER,
      {{{"--listne", "x"}, "--listne"},
       {{"--registry", registry_, "--listen", taken.address()},
        "cannot listen on " + taken.address()},
       {{"--registry", registry_, "--listen", "here"}, "address 'here': the port is missing"},
       {{"--registry", registry_, "--weight", "20000"}, "weight 20000"},
       {{"--registry", "pigeon://coop"}, "unknown scheme 'pigeon'; known: file, list, mem"},
       {{"--registry", "list://127.0.0.1:1"}, "list://127.0.0.1:1 is a fixed list"},
       {{"--registry", "file:///proc/weir"}, "/proc/weir"}});
}

TEST(AsyncExample, ShowsCoroutinesDeadlinesCancellationAndAttachments) {
  Process process({WEIR_ASYNC_CALLS});
  EXPECT_EQ(process.Wait(kPatience), 0) << process.Errors();
  EXPECT_THAT(process.Output(), HasSubstr("two at once: OK and OK after "));
  EXPECT_THAT(process.Output(), HasSubstr("deadline: DEADLINE_EXCEEDED: "));
  EXPECT_THAT(process.Output(), HasSubstr("cancellation: the timer was first\n"));
  EXPECT_THAT(process.Output(), HasSubstr("attachment: WEIRS LEVEL RIVERS, 16 letters changed\n"));
  EXPECT_THAT(process.Output(), HasSubstr("two handlers were told to stop\n"));
}

TEST(CustomStrategyExample, TwoChoicesSparesTheSlowServer) {
  Process process({WEIR_CUSTOM_STRATEGY});
  EXPECT_EQ(process.Wait(kPatience), 0) << process.Errors();
  const std::string output = process.Output();
  EXPECT_THAT(output, HasSubstr("round_robin: 200 (1 ms each) 200 (1 ms each) 200 (20 ms each)\n"));
  EXPECT_THAT(output, HasSubstr("0 calls failed\n"));
  std::smatch shares;
  ASSERT_TRUE(std::regex_search(
      output, shares, std::regex("two_choices: (\\d+) \\(1 .* (\\d+) \\(1 .* (\\d+) \\(20 ")))
      << output;
  EXPECT_EQ(std::stoi(shares[1]) + std::stoi(shares[2]) + std::stoi(shares[3]), 600);
  EXPECT_LT(std::stoi(shares[3]), 180) << output;
}

TEST(CustomRegistryExample, FollowsItsFile) {
  TempDir directory;
  Process process({WEIR_CUSTOM_REGISTRY}, {.environment = {"TMPDIR=" + directory.path().string()}});
  EXPECT_EQ(process.Wait(kPatience), 0) << process.Errors();
  EXPECT_THAT(process.Output(), HasSubstr("served by first\n"));
  EXPECT_THAT(process.Output(), HasSubstr("served by second, too: yes\n"));
  EXPECT_THAT(process.Output(), HasSubstr("without the file: NOT_FOUND: hosts://"));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(EmbeddedStoreExample, ShowsWhatTheEngineDoesAndLeavesNothingBehind) {
  TempDir directory;
  Process process({WEIR_EMBEDDED_STORE}, {.environment = {"TMPDIR=" + directory.path().string()}});
  EXPECT_EQ(process.Wait(kPatience), 0) << process.Errors();
  EXPECT_EQ(process.Output(),
            "again: ALREADY_EXISTS: order 1002 is taken\n"
            "before the last order: order/1002 order/1001\n"
            "commit 1: stock/apples\n"
            "commit 2: stock/apples order/1001\n"
            "commit 3: stock/apples order/1002\n"
            "commit 4: session/ada\n"
            "commit 5: stock/apples order/1003\n"
            "the copy of commit 5 has 0 apples\n");
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace weir::testing
