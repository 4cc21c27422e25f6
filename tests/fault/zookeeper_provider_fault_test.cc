// What consumers see of providers that die, stop, or lose ZooKeeper. Numbers are those of the table
// of cases in docs/registry.md. Failed calls are counted by the consumer that makes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <thread>

#include "fault/raw_peer.h"
#include "fault/steady_load.h"
#include "fault/zookeeper_faults.h"
#include "registry/watched.h"
#include "support/tcp_proxy.h"
#include "support/zookeeper_server.h"

namespace weir::test {
namespace {

using weir::testing::kZooKeeperTick;
using weir::testing::OpenOrDie;
using weir::testing::TcpProxy;
using weir::testing::Watched;

constexpr int kTimeoutMs = 1500;
constexpr std::chrono::milliseconds kSession{kTimeoutMs};

class ZooKeeperProviderFault : public ::testing::Test {
 protected:
  std::string Url() const { return zookeeper_.Url("/rpc", kTimeoutMs); }
  // The same registry by way of a proxy.
  std::string UrlBy(const TcpProxy& proxy) const {
    return "zk://" + proxy.address() + "/rpc?session_timeout_ms=" + std::to_string(kTimeoutMs);
  }
  std::uint64_t Owner(const ProviderProcess& provider) const {
    return OwnerOf(zookeeper_, provider.node());
  }
  Providers Start(int count) const { return Start(count, Url()); }
  Providers Start(int count, const std::string& url) const {
    Providers providers;
    for (int i = 0; i < count; ++i) providers.push_back(std::make_unique<ProviderProcess>(url));
    EXPECT_TRUE(AwaitStanding(zookeeper_, providers));
    return providers;
  }

  weir::testing::ZooKeeperServer zookeeper_;
};

std::vector<Provider> ListOf(const std::vector<std::string>& addresses) {
  std::vector<Provider> list;
  for (const std::string& address : addresses) list.push_back({.address = address});
  std::sort(list.begin(), list.end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  return list;
}

// Takes over the port of a dead provider, is as silent as a host that drops everything, and counts
// the calls it is sent.
class SilentHeir {
 public:
  explicit SilentHeir(std::uint16_t port)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listens_ = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
               ::listen(listener_, 128) == 0;
    thread_ = std::thread([this] { Run(); });
  }
  ~SilentHeir() {
    ended_ = true;
    thread_.join();
    ::close(listener_);
  }
  SilentHeir(const SilentHeir&) = delete;
  SilentHeir& operator=(const SilentHeir&) = delete;

  bool listens() const { return listens_; }
  int connections() const { return connections_; }
  int calls() const { return calls_; }

 private:
  void Run() {
    std::vector<RawPeer> peers;
    while (!ended_) {
      pollfd readable{listener_, POLLIN, 0};
      if (::poll(&readable, 1, 5) > 0) {
        peers.push_back(RawPeer::Own(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)));
        ++connections_;
      }
      for (RawPeer& peer : peers) {
        while (const auto frame = peer.Next(0ms)) {
          calls_ += frame->type() == wire::FrameType::kRequest;
        }
      }
    }
  }

  const int listener_;
  bool listens_ = false;
  std::atomic<bool> ended_{false};
  std::atomic<int> connections_{0};
  std::atomic<int> calls_{0};
  std::thread thread_;
};

TEST_F(ZooKeeperProviderFault, R1_KilledUnderLoadItGetsNoCallAndFailsNoneThatMayBeRepeated) {
  Providers providers = Start(3);
  ProviderProcess& victim = *providers[1];
  SteadyLoad repeatable(Url(), {.idempotent = true, .handler_ms = 1});
  SteadyLoad once(Url(), {.handler_ms = 10});
  ASSERT_TRUE(repeatable.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  ASSERT_TRUE(once.AwaitAnswersFrom(AddressesOf(providers), kPatience));

  victim.process().Kill();
  const auto killed = Clock::now();
  const SilentHeir heir(victim.port());
  EXPECT_TRUE(heir.listens());
  EXPECT_TRUE(WaitUntil([&] { return Owner(victim) == 0; }, kPatience));
  const auto gone = MillisecondsSince(killed);
  EXPECT_LE(gone, kTimeoutMs + 2 * kZooKeeperTick.count()) << "ZooKeeper ends sessions at ticks";
  const std::vector<std::string> others{providers[0]->address(), providers[2]->address()};
  EXPECT_TRUE(repeatable.AwaitAnswersFrom(others, kPatience, 50));

  const LoadTally repeated = repeatable.Stop();
  EXPECT_TRUE(repeated.failures.empty()) << repeated.ToString();
  // What may not be repeated fails if it was with the provider when that died, and only then.
  const LoadTally called_once = once.Stop();
  EXPECT_EQ(called_once.FailedSince(killed), 0) << called_once.ToString();
  EXPECT_GT(heir.connections(), 0);
  EXPECT_EQ(heir.calls(), 0) << "a call was sent to who does not answer";
  std::cout << "node gone after " << gone << " ms; " << called_once.ToString() << "\n";
}

TEST_F(ZooKeeperProviderFault, R2_KilledAndRestartedAtOnceItOwnsItsNodeAndKeepsIt) {
  // So long that the new owner within two seconds cannot be due to the end of the former session.
  constexpr std::chrono::milliseconds kLongSession = 3000ms;
  const std::string url = zookeeper_.Url("/rpc", static_cast<int>(kLongSession.count()));
  Providers providers = Start(3, url);
  const std::uint64_t former = Owner(*providers[1]);
  ASSERT_NE(former, 0u);
  SteadyLoad repeatable(Url(), {.idempotent = true, .handler_ms = 1});
  SteadyLoad once(Url());
  ASSERT_TRUE(once.AwaitAnswersFrom(AddressesOf(providers), kPatience));

  const std::string address = providers[1]->address();
  providers[1]->process().Kill();
  const auto killed = Clock::now();
  providers[1] = std::make_unique<ProviderProcess>(url, address);
  ASSERT_EQ(providers[1]->address(), address);
  EXPECT_LT(MillisecondsSince(killed), 1000);
  EXPECT_TRUE(WaitUntil([&] { return Owner(*providers[1]) != former && Owner(*providers[1]) != 0; },
                        2000ms));
  const auto owned = MillisecondsSince(killed);
  const std::uint64_t owner = Owner(*providers[1]);
  EXPECT_TRUE(once.AwaitAnswersFrom({address}, 3s));
  // The moment that matters is the former session's expiry: look all the way past it.
  EXPECT_TRUE(StaysOwned(zookeeper_, providers[1]->node(), owner, 2 * kLongSession));

  const LoadTally repeated = repeatable.Stop();
  EXPECT_TRUE(repeated.failures.empty()) << repeated.ToString();
  const LoadTally called_once = once.Stop();
  EXPECT_EQ(called_once.FailedSince(killed), 0) << called_once.ToString();
  std::cout << "owned by the new session " << owned << " ms after the kill\n";
}

TEST_F(ZooKeeperProviderFault, R3_StoppedPastItsTimeoutItIsRemovedAndComesBackOnce) {
  Providers providers = Start(3);
  ProviderProcess& victim = *providers[1];
  const std::uint64_t former = Owner(victim);
  const auto observer = OpenOrDie(Url());
  Watched watched(*observer, kEcho);
  ASSERT_TRUE(watched.Becomes(ListOf(AddressesOf(providers))));
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));

  victim.process().Signal(SIGSTOP);
  const auto stopped = Clock::now();
  EXPECT_TRUE(watched.Becomes(ListOf({providers[0]->address(), providers[2]->address()})));
  // Consumers gather changes for up to 200 ms.
  EXPECT_TRUE(load.AwaitAnswersFrom({providers[0]->address()}, kPatience, 100));
  const auto removed = Clock::now();
  EXPECT_TRUE(load.AwaitAnswersFrom({providers[0]->address()}, kPatience, 250));

  victim.process().Signal(SIGCONT);
  const auto continued = Clock::now();
  EXPECT_TRUE(watched.Becomes(ListOf(AddressesOf(providers)), 3000ms));
  EXPECT_TRUE(load.AwaitAnswersFrom({victim.address()}, 3s));
  const auto back = MillisecondsSince(continued);
  EXPECT_LE(back, 3000);
  const std::uint64_t owner = Owner(victim);
  EXPECT_NE(owner, former);
  EXPECT_TRUE(StandAlone(zookeeper_, providers)) << "a duplicate, or a node of a dead session";
  EXPECT_TRUE(StaysOwned(zookeeper_, victim.node(), owner, kSession));

  const LoadTally tally = load.Stop();
  EXPECT_EQ(tally.FailedBetween({}, stopped - 50ms), 0) << tally.ToString();
  EXPECT_EQ(tally.FailedSince(removed), 0) << tally.ToString();
  std::cout << "back after " << back << " ms; while it was stopped but listed: " << tally.ToString()
            << "\n";
}

TEST_F(ZooKeeperProviderFault, R5_SessionsOfProvidersExpiredByForceFailNoCall) {
  const Providers providers = Start(3);
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));
  for (int round = 0; round < 2; ++round) {
    for (const auto& provider : providers) {
      const std::uint64_t former = Owner(*provider);
      ASSERT_NE(former, 0u);
      zookeeper_.ExpireSession(former);
      // In the second round all of them at about the same time.
      if (round == 0) {
        EXPECT_TRUE(AwaitStanding(zookeeper_, providers));
        EXPECT_NE(Owner(*provider), former);
      }
    }
    EXPECT_TRUE(AwaitStanding(zookeeper_, providers));
    EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience, 20));
  }
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
}

TEST_F(ZooKeeperProviderFault, R6_CutOffFromZooKeeperOnlyItIsCalledOnAndHeals) {
  TcpProxy proxy(zookeeper_.port());
  Providers providers;
  providers.push_back(std::make_unique<ProviderProcess>(Url()));
  for (int i = 0; i < 2; ++i) {
    providers.push_back(std::make_unique<ProviderProcess>(UrlBy(proxy)));
  }
  ASSERT_TRUE(AwaitStanding(zookeeper_, providers));
  SteadyLoad load(Url());
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience));

  proxy.Cut();
  EXPECT_TRUE(
      WaitUntil([&] { return Owner(*providers[1]) == 0 && Owner(*providers[2]) == 0; }, kPatience));
  // Two of three have vanished from the list, but they answer: they stay in use.
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience, 200));
  proxy.Heal();
  const auto healed = Clock::now();
  EXPECT_TRUE(AwaitStanding(zookeeper_, providers, 5000ms));
  const auto back = MillisecondsSince(healed);
  EXPECT_LE(back, 5000);
  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(providers), kPatience, 100));
  const LoadTally tally = load.Stop();
  EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
  std::cout << "registered again " << back << " ms after healing\n";
}

TEST_F(ZooKeeperProviderFault, R13_WrongCredentialsAreSaidOnceAndServingGoesOn) {
  const auto url = [this](const std::string& credentials) {
    return "zk://" + credentials + "@" + zookeeper_.address() +
           "/rpc?session_timeout_ms=" + std::to_string(kTimeoutMs);
  };
  Providers right;
  for (int i = 0; i < 2; ++i) {
    right.push_back(std::make_unique<ProviderProcess>(url("weir:secret-one")));
  }
  ASSERT_TRUE(AwaitStanding(zookeeper_, right));
  SteadyLoad load(url("weir:secret-one"));
  SteadyLoad reader(url("weir:secret-two"));  // everybody may read
  ASSERT_TRUE(load.AwaitAnswersFrom(AddressesOf(right), kPatience));

  ProviderProcess wrong(url("weir:secret-two"));
  EXPECT_TRUE(WaitUntil(
      [&] { return wrong.process().Errors().find("NOAUTH") != std::string::npos; }, kPatience));
  SteadyLoad direct("list://" + wrong.address());
  const auto packets = [this] {
    const std::string answer = zookeeper_.Ask("mntr");
    const std::string sign = "zk_packets_received";
    const auto at = answer.find(sign);
    return at == std::string::npos ? -1 : std::stol(answer.substr(at + sign.size()));
  };
  const long before = packets();
  EXPECT_TRUE(direct.AwaitAnswersFrom({wrong.address()}, kPatience, 1000));  // two seconds
  const long during = packets() - before;
  // Three pings a timeout from each of the six sessions, and what this test asks.
  EXPECT_LE(during, 60) << "it spins";
  const std::string said = wrong.process().Errors();
  EXPECT_THAT(said, ::testing::HasSubstr("cannot register " + wrong.address()));
  EXPECT_THAT(said, ::testing::HasSubstr("give the URL credentials that are"));
  EXPECT_LE(std::count(said.begin(), said.end(), '\n'), 10) << said;
  EXPECT_THAT(said, ::testing::Not(::testing::HasSubstr("secret")));
  EXPECT_TRUE(StandAlone(zookeeper_, right));

  EXPECT_TRUE(load.AwaitAnswersFrom(AddressesOf(right), kPatience));
  for (SteadyLoad* one : {&load, &reader, &direct}) {
    const LoadTally tally = one->Stop();
    EXPECT_TRUE(tally.failures.empty()) << tally.ToString();
  }
  std::cout << during << " requests to ZooKeeper in two seconds\n";
}

}  // namespace
}  // namespace weir::test
