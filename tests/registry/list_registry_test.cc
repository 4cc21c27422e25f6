#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/watched.h"

namespace weir::testing {
namespace {

using ::testing::HasSubstr;

TEST(ListRegistry, GivesTheSameProvidersForEveryService) {
  const auto registry = OpenOrDie("list://b:2*300,a:1,[::1]:3*0");
  for (const char* service : {"a.A", "b.B"}) {
    Watched watched(*registry, service);
    EXPECT_TRUE(watched.Becomes({{"[::1]:3", 0}, {"a:1", 100}, {"b:2", 300}}));
  }
}

TEST(ListRegistry, TakesUnixSocketsBesidePorts) {
  const auto registry = OpenOrDie("list://unix:/run/b*300,a:1,unix:@name");
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"a:1", 100}, {"unix:/run/b", 300}, {"unix:@name", 100}}));
}

TEST(ListRegistry, CannotRegister) {
  const auto registry = OpenOrDie("list://a:1");
  const auto registration = registry->Register({.service = "a.A", .address = "b:2"});
  EXPECT_EQ(registration.status().code(), StatusCode::kUnimplemented);
  EXPECT_THAT(registration.status().ToString(), HasSubstr("list://a:1"));
  EXPECT_TRUE(registry->WaitUntilRegistered(0).ok());
  EXPECT_EQ(registry->documents(), nullptr);
}

TEST(ListRegistry, ShowsItsListAndCannotReweigh) {
  const auto registry = OpenOrDie("list://b:2*300,a:1");
  const auto entries = registry->Inspect("a.A");
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ(entries->back().address, "b:2");
  EXPECT_EQ(entries->back().weight, 300);
  EXPECT_FALSE(entries->back().since);
  const Status status = registry->Reweigh("a.A", "a:1", 5);
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_THAT(status.ToString(), HasSubstr("list://b:2*300,a:1 is a fixed list"));
}

TEST(RegistryUrl, MalformedOnesAreRefusedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "expected scheme://"},
      {"nonsense", "expected scheme://"},
      {"etcd://h:1/x", "unknown scheme 'etcd'"},
      {"mem://", "the name is missing"},
      {"file://relative/path", "absolute path"},
      {"file:///", "absolute path"},
      {"list://", "the port is missing"},
      {"list://a:1,,b:2", "the port is missing"},
      {"list://a:70000", "not a number from 0 to 65535"},
      {"list://a:0", "port 0"},
      {"list://a:1*", "the weight is no number"},
      {"list://a:1*-1", "the weight is no number"},
      {"list://a:1*10001", "the weight is no number"},
      {"list://a:1,b:2,a:1", "listed twice"},
      {"list://unix:/a,unix:/a", "listed twice"},
      {"list://unix:a", "the port is not a number"},
      {"list://unix:/a//b", "no empty part"},
      {"list://unix:/a*x", "the weight is no number"},
  };
  for (const auto& [url, reason] : cases) {
    const auto registry = Registries().Open(url);
    EXPECT_EQ(registry.status().code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(registry.status().ToString(), HasSubstr(reason)) << url;
  }
}

TEST(Registry, RefusesInstancesAndServicesThatNoTreeCouldHold) {
  const auto registry = OpenOrDie("mem://refusals");
  const Instance cases[] = {
      {.service = "", .address = "a:1"},
      {.service = "a/b", .address = "a:1"},
      {.service = "..", .address = "a:1"},
      {.service = "a.A", .address = "a"},
      {.service = "a.A", .address = "a:0"},
      {.service = "a.A", .address = "a/b:1"},
      {.service = "a.A", .address = "a:1", .weight = -2},
      {.service = "a.A", .address = "a:1", .weight = 10'001},
  };
  for (const Instance& instance : cases) {
    EXPECT_EQ(registry->Register(instance).status().code(), StatusCode::kInvalidArgument)
        << instance.service << " " << instance.address << " " << instance.weight;
  }
  EXPECT_EQ(registry->Watch("a/b", [](const ProviderList&) {}).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace weir::testing
