#include "facts.h"

#include <gtest/gtest.h>

#include "node.h"

namespace weir::discovery {
namespace {

TEST(Facts, ComeBackAsTheyWereWritten) {
  const Facts facts = {{"version", "1.2 \"beta\"\n"}, {"zone", "k\u00f6ln"}, {"empty", ""}};
  EXPECT_EQ(ParseFacts(FactsText(facts)), facts);
  EXPECT_EQ(FactsText({}), "{}");
}

TEST(Facts, WhatOthersWroteIsTakenAsFarAsItIsText) {
  EXPECT_EQ(ParseFacts(R"({"a":1,"b":true,"c":null,"d":[1],"e":{"f":"g"},"h":"i"})"),
            (Facts{{"a", "1"}, {"b", "true"}, {"h", "i"}}));
  for (const char* junk : {"", "abc", "[1,2]", "{\"a\":", "\"text\"", "\xff\xfe"}) {
    EXPECT_TRUE(ParseFacts(junk).empty()) << junk;
  }
  EXPECT_TRUE(ParseFacts(std::string(1 << 20, '[')).empty());
  EXPECT_TRUE(ParseFacts("{\"a\":\"" + std::string(kMaxFactsBytes, 'x') + "\"}").empty());
  EXPECT_FALSE(FactsText({{"a", "\xff"}}).empty());
}

TEST(Facts, AllThatAProviderMaySayFitsIntoWhatReadersRead) {
  EXPECT_LE(FactsText({{"a", std::string(kMaxFactsBytes - 1, '\x01')}}).size(), kMaxFactsText);
}

TEST(Facts, GetTheTimeOfTheStartUnlessTheProviderSaysIt) {
  EXPECT_GT(std::stoll(WithStart({}).at("started")), 1'500'000'000'000);
  EXPECT_EQ(WithStart({{"started", "5"}}).at("started"), "5");
}

TEST(Facts, BecomeZoneAndStartWhereTheyMakeSense) {
  Provider provider{"h:1", 5, "old", 1};
  TakeFacts({{"zone", "k\u00f6ln-1"}, {"started", "1700000000123"}}, provider);
  EXPECT_EQ(provider, (Provider{"h:1", 5, "k\u00f6ln-1", 1'700'000'000'123}));
  for (const char* zone : {"", "two words", "line\nbreak", "\x7f"}) {
    TakeFacts({{"zone", zone}}, provider);
    EXPECT_EQ(provider, (Provider{"h:1", 5})) << zone;
  }
  TakeFacts({{"zone", std::string(65, 'z')}}, provider);
  EXPECT_EQ(provider.zone, "");
  for (const char* start : {"", "-5", "0", "1.5", "12a", "99999999999999999999"}) {
    TakeFacts({{"started", start}}, provider);
    EXPECT_EQ(provider.started_ms, 0) << start;
  }
}

TEST(Weight, IsANumberFromMinusOneToTheLimit) {
  for (const auto& [text, weight] :
       {std::pair{"-1", -1}, {"0", 0}, {"10000", 10000}, {"7 \n", 7}}) {
    EXPECT_EQ(ParseWeight(text), weight) << text;
  }
  for (const char* junk : {"", "abc", "-2", "10001", "1x", " 1", "99999999999", "1.5"}) {
    EXPECT_EQ(ParseWeight(junk), std::nullopt) << junk;
    EXPECT_EQ(EffectiveWeight(junk), kDefaultWeight) << junk;
  }
  EXPECT_EQ(EffectiveWeight("-1"), kDefaultWeight);
  EXPECT_EQ(EffectiveWeight("0"), 0);
}

}  // namespace
}  // namespace weir::discovery
