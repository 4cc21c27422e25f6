// Strategies by name and text.
#include <gmock/gmock.h>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

std::string Refusal(std::string_view text) {
  const Result<ConfiguredLoadBalance> configured = LoadBalances().Configure(text);
  if (configured.ok()) return "(accepted)";
  EXPECT_EQ(configured.status().code(), StatusCode::kInvalidArgument);
  return std::string(configured.status().message());
}

TEST(StrategyText, LinkingTheLibraryBringsTheFive) {
  EXPECT_THAT(LoadBalances().Names(), IsSupersetOf(kTheFive));
}

TEST(StrategyText, UnknownNameListsTheKnownOnes) {
  const std::string message = Refusal("rond_robin");
  EXPECT_THAT(message, HasSubstr("'rond_robin'"));
  for (const std::string& name : kTheFive) EXPECT_THAT(message, HasSubstr(name));
}

TEST(StrategyText, MalformedTextNamesThePosition) {
  EXPECT_THAT(Refusal(""), HasSubstr("position 1: the name is missing"));
  EXPECT_THAT(Refusal(":vnodes=3"), HasSubstr("position 1: the name is missing"));
  EXPECT_THAT(Refusal("random:"), HasSubstr("position 8: key=value is missing"));
  EXPECT_THAT(Refusal("consistent_hash:vnodes"), HasSubstr("position 17: key=value is missing"));
  EXPECT_THAT(Refusal("consistent_hash:vnodes=1,"), HasSubstr("position 26"));
  EXPECT_THAT(Refusal("consistent_hash:vnodes=1,vnodes=2"),
              HasSubstr("position 26: 'vnodes' is given twice"));
}

TEST(StrategyText, ParametersOfStrategiesWithoutAnyAreRefused) {
  EXPECT_THAT(Refusal("random:seed=1"), HasSubstr("'random' takes no parameters, got 'seed'"));
}

TEST(StrategyText, UnknownParameterNamesTheKnownOnes) {
  EXPECT_EQ(
      Refusal("consistent_hash:vnodes=160,bond=1.25"),
      "load balance 'consistent_hash:vnodes=160,bond=1.25', position 28: parameter 'bond' is "
      "'1.25'; expected no such parameter; 'consistent_hash' takes vnodes, unit, bound, hash");
}

TEST(StrategyText, MalformedValuesNameKeyValueAndAllowedForm) {
  for (const std::string value :
       {"", "x", "0", "-1", "4097", "16o", "1.5", " 1", "+1", "99999999999999999999999"}) {
    const std::string message = Refusal("consistent_hash:hash=seed,vnodes=" + value);
    EXPECT_THAT(message, HasSubstr("position 27: parameter 'vnodes' is '" + value +
                                   "'; expected an integer from 1 to 4096"));
  }
  for (const std::string value : {"", "0.5", "101", "nan", "inf", "1,25", "1e1"}) {
    EXPECT_THAT(Refusal("consistent_hash:bound=" + value), HasSubstr("load balance"));
  }
  EXPECT_THAT(Refusal("consistent_hash:bound=0.5"), HasSubstr("a number from 1 to 100"));
  EXPECT_THAT(Refusal("consistent_hash:hash=md5"),
              HasSubstr("'hash' is 'md5'; expected one of fnv, xxh64, seed"));
  EXPECT_THAT(Refusal("consistent_hash:unit=0"), HasSubstr("an integer from 1 to 10000"));
}

TEST(StrategyText, EveryParameterIsAccepted) {
  EXPECT_EQ(Refusal("consistent_hash:vnodes=4096,unit=10000,bound=1.25,hash=xxh64"), "(accepted)");
  EXPECT_EQ(Refusal("consistent_hash:hash=seed"), "(accepted)");
}

TEST(StrategyText, ParametersReachTheTables) {
  const Balanced one("consistent_hash:vnodes=1", EqualProviders(4));
  const Balanced many("consistent_hash:vnodes=4096", EqualProviders(4));
  int moved = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    moved += one.PickKey(key) != many.PickKey(key) ? 1 : 0;
  }
  EXPECT_GT(moved, 100);
}

TEST(StrategyText, AUsersOwnStrategyIsAddedInOneLine) {
  LoadBalances().Add(
      "last", [](const RequestView&, const Snapshot& s, const PickContext&) noexcept -> Index {
        return s.size() == 0 ? kNone : s.size() - 1;
      });
  EXPECT_EQ(Balanced("last", EqualProviders(3)).Pick({}), 2U);
  EXPECT_EQ(Balanced("last", {}).Pick({}), kNone);
}

// State is a compile error: the concept refuses it.
[[maybe_unused]] constexpr auto kPure = [](const RequestView&, const Snapshot&,
                                           const PickContext&) noexcept -> Index { return 0; };
static_assert(StatelessPick<decltype(kPure)>);
[[maybe_unused]] constexpr auto kStateful =
    [next = Index{0}](const RequestView&, const Snapshot&,
                      const PickContext&) mutable noexcept -> Index { return next++; };
static_assert(!StatelessPick<decltype(kStateful)>);
[[maybe_unused]] constexpr auto kThrowing = [](const RequestView&, const Snapshot&,
                                               const PickContext&) -> Index { return 0; };
static_assert(!StatelessPick<decltype(kThrowing)>);
static_assert(
    !StatelessPick<Index (*)(const RequestView&, const Snapshot&, const PickContext&) noexcept>);

}  // namespace
}  // namespace weir
