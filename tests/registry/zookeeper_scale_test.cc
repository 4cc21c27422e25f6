// zk:// under load: flapping providers, large services, many sessions. Built twice: in a short form
// for every run, and with WEIR_FULL_FORM in the measure of the table of cases (docs/registry.md),
// whose numbers the tests carry.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <regex>
#include <set>
#include <thread>

#include "registry/auth_refuser.h"
#include "registry/watched.h"
#include "registry/zk_operator.h"
#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

#ifdef WEIR_FULL_FORM
constexpr bool kFull = true;
#else
constexpr bool kFull = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr bool kSlowBuild = true;
#else
constexpr bool kSlowBuild = false;
#endif

constexpr seconds kLongPatience{kFull ? 300 : 60};

// Requests the server has received from each session that is connected now.
std::map<std::uint64_t, std::uint64_t> Requests(const ZooKeeperServer& server) {
  std::map<std::uint64_t, std::uint64_t> requests;
  const std::string text = server.Ask("cons");
  static const std::regex connection("recved=([0-9]+).*?sid=0x([0-9a-f]+)");
  for (std::sregex_iterator at(text.begin(), text.end(), connection), end; at != end; ++at) {
    requests[std::stoull((*at)[2], nullptr, 16)] = std::stoull((*at)[1]);
  }
  return requests;
}

// What the calling thread has computed so far.
milliseconds ThreadTime() {
  timespec time{};
  EXPECT_EQ(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time), 0);
  return duration_cast<milliseconds>(seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

std::size_t CountOf(const char* directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::vector<std::string> Addresses(int count) {
  std::vector<std::string> addresses;
  for (int i = 1; i <= count; ++i) addresses.push_back("provider-" + std::to_string(i) + ":7001");
  return addresses;
}

TEST(ZooKeeperScale, R11_AFlappingProviderCostsEachConsumerFewReads) {
  constexpr int kConsumers = 50;
  constexpr int kFlaps = kFull ? 30 : 5;
  // Apart by more than changes are gathered, or several would count as one.
  constexpr milliseconds kHalfPeriod{kFull ? 1000 : 400};
  const ZooKeeperServer server;
  // No pings within the test: only what was asked for is counted.
  const std::string url = server.Url("/rpc", 60'000);
  std::vector<std::shared_ptr<Registry>> consumers;
  std::vector<std::unique_ptr<Watched>> watched;
  {
    const auto steady = OpenOrDie(url);
    const auto registration = steady->Register({.service = "a.A", .address = "h:1"});
    ASSERT_TRUE(steady->WaitUntilRegistered(20'000).ok());
    for (int i = 0; i < kConsumers; ++i) {
      consumers.push_back(OpenOrDie(url));
      watched.push_back(std::make_unique<Watched>(*consumers.back(), "a.A"));
    }
    for (const auto& one : watched) ASSERT_TRUE(one->Becomes({{"h:1", 100}}, kLongPatience));
  }
  for (const auto& one : watched) ASSERT_TRUE(one->Becomes({}, kLongPatience));
  const auto before = Requests(server);
  ASSERT_GE(before.size(), static_cast<std::size_t>(kConsumers));
  const auto flapping = OpenOrDie(url);
  for (int flap = 0; flap < kFlaps; ++flap) {
    auto registration = flapping->Register({.service = "a.A", .address = "h:2"});
    std::this_thread::sleep_for(kHalfPeriod);
    registration->reset();
    std::this_thread::sleep_for(kHalfPeriod);
  }
  const auto last = flapping->Register({.service = "a.A", .address = "h:2", .weight = 5});
  for (const auto& one : watched) ASSERT_TRUE(one->Becomes({{"h:2", 5}}, kLongPatience));
  constexpr int kChanges = 2 * kFlaps + 1;
  std::uint64_t most = 0;
  std::uint64_t sum = 0;
  const auto after = Requests(server);
  for (const auto& [session, count] : before) {
    const auto now = after.find(session);
    if (now == after.end()) continue;
    most = std::max(most, now->second - count);
    sum += now->second - count;
  }
  std::cout << "reads for each change and consumer: "
            << static_cast<double>(sum) / kConsumers / kChanges << " on average, "
            << static_cast<double>(most) / kChanges << " at most\n";
  EXPECT_GT(most, 0u);
  EXPECT_LE(most, 3u * kChanges);
}

// A thousand providers, each in its own right, of some services; they all go and come back at once.
TEST(ZooKeeperScale, R12_AThousandProvidersRestartAtOnce) {
  constexpr int kProviders = 1000;
  constexpr int kServices = kFull ? 100 : 2;
  constexpr int kProcesses = 10;  // registries that share the providers among them
  const ZooKeeperServer server(kFull ? 2048 : 128);
  const std::string url = server.Url("/rpc", 60'000);
  const std::vector<std::string> addresses = Addresses(kProviders);
  const auto service = [](int number) { return "load.S" + std::to_string(number); };
  std::vector<std::shared_ptr<Registry>> processes;
  std::vector<std::unique_ptr<Registration>> registrations;
  const auto start_all = [&] {
    for (int i = 0; i < kProcesses; ++i) processes.push_back(OpenOrDie(url));
    for (int i = 0; i < kProviders; ++i) {
      for (int s = 0; s < kServices; ++s) {
        auto registration = processes[static_cast<std::size_t>(i % kProcesses)]->Register(
            {.service = service(s), .address = addresses[static_cast<std::size_t>(i)]});
        ASSERT_TRUE(registration.ok());
        registrations.push_back(*std::move(registration));
      }
    }
    for (const auto& process : processes) {
      const Status status = process->WaitUntilRegistered(300'000);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  };
  start_all();
  const auto consumer = OpenOrDie(url);
  const auto mark = consumer->Register({.service = "mark.M", .address = "h:1"});
  ASSERT_TRUE(consumer->WaitUntilRegistered(20'000).ok());
  // From asking for a service to its snapshot, and how much of it the registry computed: listeners
  // are called from its own thread.
  std::vector<std::unique_ptr<Told<ProviderList>>> told;
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  milliseconds cheapest = kLongPatience;
  for (int s = 0; s < kServices; ++s) {
    std::atomic<milliseconds> computed{};
    Told<ProviderList> nothing;
    const auto start_of_reading = *consumer->Watch(
        "no.Such" + std::to_string(s), [&, tell = nothing.Listener()](ProviderList list) {
          computed = ThreadTime();
          tell(std::move(list));
        });
    ASSERT_TRUE(nothing.Wait([](const auto&) { return true; }, kLongPatience));
    told.push_back(std::make_unique<Told<ProviderList>>());
    std::atomic<milliseconds> cost{};
    const auto start = steady_clock::now();
    const auto first =
        *consumer->Watch(service(s), [&, tell = told.back()->Listener()](ProviderList list) {
          cost = ThreadTime() - computed.load();
          tell(std::move(list));
        });
    ASSERT_TRUE(told.back()->Wait([](const auto& list) { return list->size() == kProviders; },
                                  kLongPatience));
    const auto took = duration_cast<milliseconds>(steady_clock::now() - start);
    EXPECT_EQ(told.back()->All().size(), 1u) << "published in parts";
    std::cout << "snapshot of " << kProviders << " providers: " << took.count() << " ms, of which "
              << cost.load().count() << " ms computed by the registry\n";
    cheapest = std::min(cheapest, cost.load());
    subscriptions.push_back(*consumer->Watch(service(s), told.back()->Listener()));
  }
  // The rest of the time is the server's and the client library's.
  EXPECT_LE(cheapest, milliseconds(kSlowBuild ? 1000 : 50));

  const std::uint64_t session = server.Ephemerals().at("/rpc/mark.M/h:1");
  const std::uint64_t before = Requests(server).at(session);
  const auto storm = steady_clock::now();
  registrations.clear();
  processes.clear();
  for (const auto& one : told) {
    ASSERT_TRUE(one->Wait([](const auto& list) { return list->empty(); }, kLongPatience));
  }
  start_all();
  for (const auto& one : told) {
    ASSERT_TRUE(
        one->Wait([](const auto& list) { return list->size() == kProviders; }, kLongPatience));
  }
  const auto took = duration_cast<milliseconds>(steady_clock::now() - storm);
  const std::uint64_t reads = Requests(server).at(session) - before;
  std::cout << kProviders * kServices << " providers restarted in " << took.count() << " ms; "
            << reads << " reads of a consumer of all of them\n";
  // One read of each new node and one of its facts, a third for one that went while it was read,
  // and the children of each service not more often than changes are gathered.
  const auto rounds = static_cast<std::uint64_t>(took.count() / 100 + 2);
  EXPECT_LE(reads, 3u * kProviders * kServices + rounds * kServices);
}

// The client sets all watches of a session again in one packet, and the server takes a mebibyte.
TEST(ZooKeeperScale, MoreWatchesThanFitIntoOnePacketDoNotLockAConsumerOut) {
  constexpr int kProviders = 12'000;
  LogLines log;
  ZooKeeperServer server;
  ZkOperator meddler(server);
  meddler.CreateAll("/rpc/a.A");
  std::vector<std::string> paths;
  for (int i = 1; i <= kProviders; ++i) {
    paths.push_back("/rpc/a.A/" + std::string(80, 'x') + ":" + std::to_string(i));
  }
  ASSERT_EQ(meddler.CreateMany(paths, "2"), ZOK);
  const auto registry = OpenOrDie(server.Url("/rpc", 20'000));
  Told<ProviderList> told;
  const auto subscription = registry->Watch("a.A", told.Listener());
  ASSERT_TRUE(
      told.Wait([](const auto& list) { return list->size() == kProviders; }, kLongPatience));
  server.Restart();
  ZkOperator again(server);
  ASSERT_EQ(again.Set(paths[0], "3"), ZOK);
  EXPECT_TRUE(told.Wait(
      [&](const auto& list) {
        return std::any_of(list->begin(), list->end(),
                           [](const Provider& one) { return one.weight == 3; });
      },
      kLongPatience))
      << log.All();
  for (const ProviderList& list : told.All()) EXPECT_EQ(list->size(), std::size_t{kProviders});
  std::cout << "connections lost: " << registry->counters().disconnections << "\n";
}

TEST(ZooKeeperScale, R14_SessionsThatComeExpireAndGoLeaveNothingBehind) {
  constexpr int kRounds = kFull ? 1000 : 50;
  constexpr int kAtOnce = 5;
  const ZooKeeperServer server;
  const std::string url = server.Url("/rpc", 20'000);
  std::size_t threads = 0;
  std::size_t descriptors = 0;
  for (int round = 0; round < kRounds; round += kAtOnce) {
    std::vector<std::shared_ptr<Registry>> registries;
    std::vector<std::unique_ptr<Registration>> registrations;
    std::vector<std::unique_ptr<Watched>> watched;
    for (int i = 0; i < kAtOnce; ++i) {
      const std::string service = "round.R" + std::to_string(i);
      registries.push_back(OpenOrDie(url));
      registrations.push_back(*registries.back()->Register({.service = service, .address = "h:1"}));
      watched.push_back(std::make_unique<Watched>(*registries.back(), service));
    }
    for (const auto& registry : registries) {
      const Status status = registry->WaitUntilRegistered(60'000);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
    std::set<std::uint64_t> victims;
    for (const auto& [path, session] : server.Ephemerals()) victims.insert(session);
    ASSERT_EQ(victims.size(), std::size_t{kAtOnce});
    for (const std::uint64_t victim : victims) server.ExpireSession(victim);
    for (const auto& registry : registries) {
      ASSERT_TRUE(WaitUntil([&] { return registry->counters().sessions >= 2; }, kLongPatience));
    }
    // Some are closed when all is well again, some in the middle of it.
    if (round % 2 == 0) {
      for (const auto& one : watched) ASSERT_TRUE(one->Becomes({{"h:1", 100}}, kLongPatience));
    }
    watched.clear();
    registrations.clear();
    registries.clear();
    // The first round brings what stays for the life of the process.
    if (round == 0) {
      threads = CountOf("/proc/self/task");
      descriptors = CountOf("/proc/self/fd");
    }
  }
  EXPECT_TRUE(WaitUntil([&] { return CountOf("/proc/self/task") <= threads; }, seconds(10)))
      << CountOf("/proc/self/task") << " threads, first " << threads;
  EXPECT_LE(CountOf("/proc/self/fd"), descriptors);
  // Nor on the server.
  EXPECT_TRUE(WaitUntil([&] { return server.Ephemerals().empty(); }, kPatience));
  EXPECT_TRUE(WaitUntil([&] { return server.Sessions().empty(); }, kPatience));
}

#ifdef WEIR_FULL_FORM
TEST(ZooKeeperScale, CredentialsAcceptedLaterAreTakenAtTheNextAttempt) {
  AuthRefuser server;
  LogLines log;
  const auto registry = OpenOrDie("zk://user:secret@" + server.address() + "/rpc");
  EXPECT_TRUE(WaitUntil([&] { return registry->counters().refusals == 2; }, seconds(60)));
  EXPECT_FALSE(registry->health().connected);
  EXPECT_EQ(server.sessions(), 2u) << "every 30 s";
  EXPECT_EQ(log.Count("connected to ZooKeeper"), 1u) << log.All();
  EXPECT_EQ(log.Count("refused the credentials"), 1u) << log.All();
  server.Accept();
  EXPECT_TRUE(WaitUntil([&] { return registry->health().connected; }, seconds(60)));
  EXPECT_EQ(log.Count("connected to ZooKeeper"), 2u) << log.All();
}
#endif

}  // namespace
}  // namespace weir::testing
