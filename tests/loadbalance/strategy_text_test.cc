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

TEST(StrategyText, AFunctionFromListToAddressIsAddedInOneLine) {
  LoadBalances().Add("longest", [](const RequestView&, std::span<const Provider> list) noexcept {
    std::string_view longest;
    for (const Provider& each : list) {
      if (each.address.size() > longest.size()) longest = each.address;
    }
    return longest;
  });
  const Balanced balanced("longest", {{"a:1"}, {"abc:1"}, {"ab:1"}});
  EXPECT_EQ(balanced.Pick({}), 1U);
  const Index excluded[] = {1};
  EXPECT_EQ(balanced.Pick({.excluded = excluded}), 2U);
  EXPECT_EQ(Balanced("longest", {}).Pick({}), kNone);
}

// Decorators of the test: one leaves out the first provider, one asks again if the first was
// picked.
const Decorator kTail = {
    .select = [](std::span<const Provider> list, const Parameters&, const Consumer&) {
      std::vector<Index> rest;
      for (Index i = 1; i < list.size(); ++i) rest.push_back(i);
      return rest;
    }};
const Decorator kNotFirst = {.pick = [](const RequestView& request, const Snapshot& snapshot,
                                        const PickContext& context,
                                        const Layer& layer) noexcept -> Index {
  static constexpr Index kFirst[] = {0};
  PickContext without = context;
  without.excluded = kFirst;
  return layer.PickInner(request, snapshot, without);
}};

TEST(StrategyText, DecoratorsAreAppliedFromTheLeft) {
  LoadBalances().Add("tail", kTail);
  LoadBalances().Add("not_first", kNotFirst);
  const Result<ConfiguredLoadBalance> twice = LoadBalances().Configure("tail|tail()|round_robin");
  ASSERT_TRUE(twice.ok()) << twice.status().ToString();
  EXPECT_TRUE(twice->narrows());
  EXPECT_EQ(twice->Select(EqualProviders(5), {}), (std::vector<Index>{2, 3, 4}));
  EXPECT_FALSE(LoadBalances().Configure("random")->narrows());

  const Balanced balanced("not_first|not_first|round_robin", EqualProviders(3));
  for (std::uint64_t i = 0; i < 9; ++i) EXPECT_NE(balanced.Pick({.sequence = i}), 0U);
}

TEST(StrategyText, ChainsNameThePositionOfWhatIsWrong) {
  LoadBalances().Add("tail", kTail);
  EXPECT_THAT(Refusal("tail|"), HasSubstr("position 6: the name is missing"));
  EXPECT_THAT(Refusal("|random"), HasSubstr("position 1: the name is missing"));
  EXPECT_THAT(Refusal("tail(|random"), HasSubstr("position 6: ')' is missing"));
  EXPECT_THAT(Refusal("tail)|random"), HasSubstr("position 5: a name has no ')'"));
  EXPECT_THAT(Refusal("tail(k=1)|random"), HasSubstr("position 6: decorator 'tail' takes no"));
  EXPECT_THAT(Refusal("tail|consistent_hash:vnodes=0"),
              HasSubstr("position 22: parameter 'vnodes' is '0'"));
  EXPECT_THAT(Refusal("tail"), HasSubstr("'tail' decorates a strategy, which is missing"));
  EXPECT_THAT(Refusal("random|tail"), HasSubstr("'tail' at position 8 decorates a strategy"));
  EXPECT_THAT(Refusal("random|random"),
              HasSubstr("position 1: 'random' is a strategy and must be the last"));
  EXPECT_THAT(Refusal("tial|random"), HasSubstr("position 1: 'tial' is no known decorator"));
  EXPECT_THAT(Refusal("tail|rondom"), HasSubstr("unknown load balance 'rondom' at position 6"));
}

TEST(StrategyText, ExplainsAPick) {
  LoadBalances().Add("not_first", kNotFirst);
  const Index excluded[] = {0};
  const Balanced balanced("not_first|round_robin", EqualProviders(3));
  const std::string why = balanced.Explain({.sequence = 1, .excluded = excluded});
  EXPECT_THAT(why, HasSubstr("not_first|round_robin: 10.0.0.2:20880"));
  EXPECT_THAT(why, HasSubstr("excluded: 1 of 3"));
  EXPECT_THAT(Balanced("random", {}).Explain({}), HasSubstr("no provider, the list is empty"));
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

TEST(StrategyText, ThePeersStrategiesRefuseByPosition) {
  EXPECT_THAT(Refusal("maglev:size=65536"),
              HasSubstr("position 8: parameter 'size' is '65536'; expected a prime"));
  EXPECT_THAT(Refusal("maglev:size=2"), HasSubstr("expected an integer from 3 to 5000011"));
  EXPECT_THAT(Refusal("maglev:slots=7"), HasSubstr("position 8: parameter 'slots'"));
  EXPECT_THAT(Refusal("ketama:points=10"),
              HasSubstr("position 8: parameter 'points' is '10'; expected a multiple of 4"));
  EXPECT_THAT(Refusal("ketama:points=0"), HasSubstr("expected an integer from 4 to 4096"));
  for (const std::string name : {"p2c_ewma", "shortest_response"}) {
    EXPECT_EQ(Refusal(name + ":decay=500ms,penalty=2s"), "(accepted)");
    EXPECT_THAT(Refusal(name + ":penalty=2s,decay=10"),
                HasSubstr("position " + std::to_string(name.size() + 13) +
                          ": parameter 'decay' is '10'; expected"));
    EXPECT_THAT(Refusal(name + ":tau=1s"), HasSubstr("takes decay, penalty"));
  }
  for (const std::string name : {"first", "p2c", "rendezvous", "jump"}) {
    EXPECT_THAT(Refusal(name + ":k=1"), HasSubstr("'" + name + "' takes no parameters, got 'k'"));
  }
}

}  // namespace
}  // namespace weir
