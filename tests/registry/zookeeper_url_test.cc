// What zk:// does without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/watched.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace weir::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ZooKeeperUrl, MalformedOnesAreRefusedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"zk://", "the host is missing"},
      {"zk:///rpc", "the host is missing"},
      {"zk://h:2181", "the path of the tree is missing"},
      {"zk://h:2181/", "the path '/'"},
      {"zk://h:2181/rpc/", "must not end with '/'"},
      {"zk://h:2181//rpc", "the path '//rpc'"},
      {"zk://h:2181/../rpc", "is none of a tree"},
      {"zk://h:port/rpc", "the port is not a number"},
      {"zk://h:99999/rpc", "the port is not a number"},
      {"zk://h:0/rpc", "port 0"},
      {"zk://a:1,,b:2/rpc", "the host is missing"},
      {"zk://user@h:2181/rpc", "user:password is meant"},
      {"zk://h:2181/rpc?timeout=1", "unknown option 'timeout'"},
      {"zk://h:2181/rpc?session_timeout_ms=soon", "session_timeout_ms 'soon'"},
      {"zk://h:2181/rpc?session_timeout_ms=1", "session_timeout_ms '1'"},
  };
  for (const auto& [url, reason] : cases) {
    const auto registry = Registries().Open(url);
    EXPECT_EQ(registry.status().code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(registry.status().ToString(), HasSubstr(reason)) << url;
  }
}

TEST(ZooKeeperUrl, NoMessageShowsThePassword) {
  const auto registry = Registries().Open("zk://user:sec@ret@h:port/rpc");
  EXPECT_THAT(registry.status().ToString(), Not(HasSubstr("sec")));
  EXPECT_THAT(registry.status().ToString(), Not(HasSubstr("ret@")));
}

TEST(ZooKeeperRegistry, AnUnreachableServerIsOneLineAndWatchReturnsAtOnce) {
  LogLines log;
  const std::string address = "127.0.0.1:" + std::to_string(FreePort());
  const auto registry = OpenOrDie("zk://user:secret@" + address + "/rpc");
  const auto registration = registry->Register({.service = "a.A", .address = "h:1"});
  EXPECT_TRUE(registration.ok());
  Watched watched(*registry, "a.A");
  const Status status = registry->WaitUntilRegistered(300);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_THAT(status.ToString(),
              HasSubstr("a.A at h:1 is not registered after 300 ms: no ZooKeeper "
                        "answers at " +
                        address));
  EXPECT_TRUE(
      WaitUntil([&] { return log.Count("no ZooKeeper answers at " + address) > 0; }, kPatience));
  const auto document = registry->documents()->Read("kv/main");
  EXPECT_EQ(document.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(document.status().ToString(), HasSubstr(address));
  EXPECT_EQ(log.Count(""), 1u) << log.All();
  EXPECT_EQ(log.Count("secret"), 0u);
  EXPECT_TRUE(watched.All().empty());
}

TEST(ZooKeeperRegistry, TakesNoUnixSocketsThatOtherMachinesCannotReach) {
  LogLines log;
  const auto registry = OpenOrDie("zk://127.0.0.1:" + std::to_string(FreePort()) + "/rpc");
  const auto registration = registry->Register({.service = "a.A", .address = "unix:/run/a.sock"});
  EXPECT_EQ(registration.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(registration.status().ToString(),
              HasSubstr("'unix:/run/a.sock': other machines cannot reach a Unix-domain socket"));
  EXPECT_EQ(registry->Reweigh("a.A", "unix:/run/a.sock", 5).code(), StatusCode::kInvalidArgument);
}

TEST(ZooKeeperRegistry, AHostThatDoesNotResolveIsAClearLine) {
  LogLines log;
  const auto registry = OpenOrDie("zk://no-such-host.invalid:2181/rpc");
  EXPECT_TRUE(WaitUntil([&] { return log.Count("no-such-host.invalid:2181") > 0; }, kPatience));
  EXPECT_LE(log.Count(""), 2u) << log.All();
}

}  // namespace
}  // namespace weir::testing
