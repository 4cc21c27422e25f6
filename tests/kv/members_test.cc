// Who owns which key: the member list and its ring.
#include "weir/kv/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

std::string StoreId(char digit) {
  return std::string(32, digit);
}

MemberList List(std::vector<std::pair<std::string, int>> members) {
  MemberList list;
  list.cluster = "main";
  list.epoch = 1;
  char digit = 'a';
  for (const auto& [address, weight] : members) {
    list.members.push_back({address, weight, StoreId(digit++)});
  }
  list.unit = RingUnitFor(list.members);
  return list;
}

std::vector<std::string> Keys(int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back("key-" + std::to_string(i));
  return keys;
}

TEST(MemberList, TextComesBackAsItWasAndIsWhatTheDocumentSays) {
  const MemberList list = List({{"127.0.0.1:7001", 1}, {"[::1]:7002", 3}});
  const std::string text =
      "weir-kv members 1\n"
      "cluster main\n"
      "epoch 1\n"
      "ring unit 2 vnodes 512\n"
      "member 127.0.0.1:7001 weight 1 store aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
      "member [::1]:7002 weight 3 store bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n";
  EXPECT_EQ(list.ToText(), text);
  const auto parsed = MemberList::Parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ(*parsed, list);
}

TEST(MemberList, DamagedTextIsRefusedAndTheLineNamed) {
  const std::string good = List({{"a:1", 1}, {"b:1", 3}}).ToText();
  const auto expect_refused = [&](std::string from, const std::string& to, const char* told) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const auto parsed = MemberList::Parse(text);
    EXPECT_EQ(parsed.status().code(), StatusCode::kDataLoss) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(told));
  };
  expect_refused("members 1", "members 2", "line 1");
  expect_refused("epoch 1", "epoch one", "line 3");
  expect_refused("epoch 1", "epoch 0", "epoch 0");
  expect_refused("unit 2", "unit 0", "unit");
  expect_refused("weight 3", "weight 3 of 7", "line 6");
  expect_refused("weight 3", "weight 0", "between 1 and");
  expect_refused("member b:1", "member a:1", "twice");
  expect_refused("member b:1", "member B:1", "order");
  expect_refused("store bbbb", "store BBBB", "store id");
  expect_refused("cluster main", "cluster .main", "name of a cluster");
  EXPECT_FALSE(MemberList::Parse("").ok());
  EXPECT_FALSE(MemberList::Parse(good.substr(0, good.find("member "))).ok());
}

TEST(MemberList, OneDataDirectoryCannotBeTwoMembers) {
  MemberList list = List({{"a:1", 1}, {"b:1", 1}});
  list.members[1].store_id = list.members[0].store_id;
  EXPECT_THAT(std::string(list.Check().message()), HasSubstr("one store id"));
}

TEST(MemberList, AWeightFarAboveTheUnitIsRefusedInsteadOfEatingMemory) {
  MemberList list = List({{"a:1", 1}, {"b:1", 1}});
  list.members[1].weight = kMaxWeight;
  EXPECT_THAT(std::string(list.Check().message()), HasSubstr("give at most 128"));
}

TEST(MemberList, ClusterNamesAreCheckedBeforeTheyBecomePaths) {
  EXPECT_EQ(*MembersPath("main-1.eu"), "kv/main-1.eu/members");
  for (const char* bad : {"", ".", "..", "a/b", "a b", "ä"}) {
    EXPECT_EQ(MembersPath(bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Ownership, RemovingAMemberMovesOnlyItsOwnKeys) {
  MemberList list = List({{"a:1", 1}, {"b:1", 2}, {"c:1", 3}, {"d:1", 6}});
  const Ownership before(list);
  const std::string removed = list.members[3].address;  // changes the mean weight a lot
  list.members.pop_back();
  ++list.epoch;
  const Ownership after(list);
  int moved = 0;
  for (const std::string& key : Keys(20'000)) {
    const std::string& was = before.OwnerOf(key).address;
    if (was == removed) {
      ++moved;
    } else {
      EXPECT_EQ(after.OwnerOf(key).address, was) << key;
    }
  }
  EXPECT_GT(moved, 8'000);
}

TEST(Ownership, AddingAMemberMovesKeysOnlyToIt) {
  MemberList list = List({{"a:1", 1}, {"b:1", 2}});
  const Ownership before(list);
  list.members.push_back({"c:1", 100, StoreId('c')});
  const Ownership after(list);
  for (const std::string& key : Keys(20'000)) {
    const std::string& now = after.OwnerOf(key).address;
    EXPECT_TRUE(now == "c:1" || now == before.OwnerOf(key).address) << key;
  }
}

TEST(Ownership, PartsFollowTheWeights) {
  const Ownership ownership(
      List({{"127.0.0.1:7001", 1}, {"127.0.0.1:7002", 2}, {"127.0.0.1:7003", 3}}));
  std::map<std::string, int> counts;
  for (const std::string& key : Keys(60'000)) ++counts[ownership.OwnerOf(key).address];
  EXPECT_NEAR(counts["127.0.0.1:7001"], 10'000, 1'200);
  EXPECT_NEAR(counts["127.0.0.1:7002"], 20'000, 1'600);
  EXPECT_NEAR(counts["127.0.0.1:7003"], 30'000, 2'000);
}

// Keys lie where their owner put them: no version may give them to another.
TEST(Ownership, OwnersNeverChangeFromVersionToVersion) {
  const Ownership ownership(
      List({{"127.0.0.1:7001", 1}, {"127.0.0.1:7002", 2}, {"127.0.0.1:7003", 3}}));
  std::string owners;
  for (const std::string& key : Keys(40)) owners += ownership.OwnerOf(key).address.back();
  EXPECT_EQ(owners, "2333232211321233313132123332122312322321");
}

}  // namespace
}  // namespace weir::kv
