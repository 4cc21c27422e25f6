// What consumers are told of a provider beside its weight; the same for every scheme that
// registers.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "registry/watched.h"

namespace weir::testing {

// `provider` and `consumer`: two registries of one URL.
inline void ConsumersLearnZoneAndStart(Registry& provider, Registry& consumer) {
  Watched watched(consumer, "a.A");
  auto registration =
      provider.Register({.service = "a.A",
                         .address = "h:1",
                         .weight = 3,
                         .facts = {{"zone", "eu-1"}, {"started", "1700000000123"}}});
  ASSERT_TRUE(registration.ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 3, "eu-1", 1'700'000'000'123}}));
  (*registration)->SetWeight(4);
  EXPECT_TRUE(watched.Becomes({{"h:1", 4, "eu-1", 1'700'000'000'123}}));
  // Never without, not even for a moment.
  for (const ProviderList& list : watched.All()) {
    for (const Provider& one : *list) EXPECT_EQ(one.zone, "eu-1");
  }
  // Whoever takes the address over is somebody else.
  registration->reset();
  EXPECT_TRUE(watched.Becomes({}));
  registration = provider.Register(
      {.service = "a.A",
       .address = "h:1",
       .weight = 4,
       .facts = {{"zone", "no zone"}, {"started", "yesterday"}, {"version", "2"}}});
  ASSERT_TRUE(registration.ok());
  EXPECT_TRUE(watched.Becomes({{"h:1", 4}}));
  const ProviderList last = watched.All().back();
  EXPECT_EQ(last->front().zone, "") << "two words are no zone";
  EXPECT_EQ(last->front().started_ms, 0);
  const auto unnamed = provider.Register({.service = "b.B", .address = "h:2"});
  Watched others(consumer, "b.B");
  EXPECT_TRUE(others.Becomes({{"h:2", 100}}));
  EXPECT_EQ(others.All().back()->front().zone, "");
  EXPECT_GT(others.All().back()->front().started_ms, 1'500'000'000'000);
}

}  // namespace weir::testing
