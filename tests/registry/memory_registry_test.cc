#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "registry/watched.h"

namespace weir::testing {
namespace {

TEST(MemoryRegistry, IsSharedByNameAndFollowsChanges) {
  const auto provider = OpenOrDie("mem://shared");
  const auto consumer = OpenOrDie("mem://shared");
  const auto stranger = OpenOrDie("mem://other");
  Watched watched(*consumer, "a.A");
  Watched elsewhere(*stranger, "a.A");
  EXPECT_TRUE(watched.Becomes({}));
  auto registration = provider->Register({.service = "a.A", .address = "h:1", .weight = 3});
  ASSERT_TRUE(registration.ok());
  EXPECT_TRUE(provider->WaitUntilRegistered(0).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 3}}));
  (*registration)->SetWeight(0);
  EXPECT_TRUE(watched.Becomes({{"h:1", 0}}));
  (*registration)->SetWeight(kWeightUnset);
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  EXPECT_EQ(*provider->Services(), std::vector<std::string>{"a.A"});
  registration->reset();
  EXPECT_TRUE(watched.Becomes({}));
  EXPECT_TRUE(elsewhere.Becomes({}));
  EXPECT_EQ(elsewhere.All().size(), 1u);
}

TEST(MemoryRegistry, ShowsAndReweighsWhatIsRegistered) {
  const auto provider = OpenOrDie("mem://operated");
  const auto consumer = OpenOrDie("mem://operated");
  Watched watched(*consumer, "a.A");
  const auto registration = provider->Register(
      {.service = "a.A", .address = "h:1", .weight = 3, .facts = {{"version", "1.2"}}});
  auto entries = consumer->Inspect("a.A");
  ASSERT_TRUE(entries.ok()) << entries.status().ToString();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().weight_text, "3");
  EXPECT_TRUE(entries->front().since);
  EXPECT_EQ(entries->front().facts.at("version"), "1.2");
  EXPECT_EQ(entries->front().facts.count("started"), 1u);
  EXPECT_TRUE(consumer->Reweigh("a.A", "h:1", 0).ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 0}}));
  EXPECT_EQ(consumer->Reweigh("a.A", "h:2", 0).code(), StatusCode::kNotFound);
  EXPECT_EQ(consumer->Reweigh("a.A", "h:1", 10'001).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(consumer->Inspect("b.B")->empty());
}

TEST(Subscription, ItsDestructorWaitsForTheRunningListenerAndEndsTheCalls) {
  const auto registry = OpenOrDie("mem://closing");
  std::latch entered(1);
  std::latch go_on(1);
  std::atomic<int> calls{0};
  std::atomic<bool> left{false};
  auto subscription = registry->Watch("a.A", [&](const ProviderList&) {
    if (++calls > 1) return;
    entered.count_down();
    go_on.wait();
    left = true;
  });
  ASSERT_TRUE(subscription.ok());
  entered.wait();
  std::thread releaser([&] { go_on.count_down(); });
  subscription->reset();
  EXPECT_TRUE(left);
  releaser.join();
  auto registration = registry->Register({.service = "a.A", .address = "h:1"});
  Watched watched(*registry, "a.A");
  EXPECT_TRUE(watched.Becomes({{"h:1", 100}}));
  EXPECT_EQ(calls, 1);
}

TEST(Subscription, MayBeDestroyedByItsOwnListener) {
  const auto registry = OpenOrDie("mem://own-end");
  std::unique_ptr<Subscription> subscription;
  std::latch subscribed(1);
  std::latch done(1);
  auto result = registry->Watch("a.A", [&](const ProviderList&) {
    subscribed.wait();
    subscription.reset();
    done.count_down();
  });
  ASSERT_TRUE(result.ok());
  subscription = *std::move(result);
  subscribed.count_down();
  done.wait();
}

}  // namespace
}  // namespace weir::testing
