// Picks that are recorded, written down, read back and made again.
#include "weir/pick_record.h"

#include <gmock/gmock.h>

#include <atomic>
#include <limits>
#include <thread>

#include "loadbalance/fleet.h"

namespace weir {
namespace {

using testing::HasSubstr;

// An endpoint that has seen something, through the functions the channel uses.
void LiveThrough(Endpoint& endpoint, std::mt19937_64& words, std::uint32_t cells) {
  static constexpr Outcome kOutcomes[] = {Outcome::kAnswered, Outcome::kAnswered,
                                          Outcome::kFaulted,  Outcome::kLost,
                                          Outcome::kLate,     Outcome::kAbandoned};
  const auto time = [&] { return static_cast<std::int64_t>(words() % 1'000'000'000); };
  for (std::uint64_t call = words() % 8; call > 0; --call) {
    const auto cell = static_cast<std::uint32_t>(words() % cells);
    const std::int64_t start = time();
    endpoint.OnStart(cell, start);
    if (words() % 3 == 0) continue;  // still on its way
    if (words() % 2 == 0) endpoint.OnReport(LoadReport::Unpack(words()), start);
    endpoint.OnEnd(cell, start, start + time(), kOutcomes[words() % std::size(kOutcomes)]);
  }
  if (words() % 3 == 0) endpoint.set_started_ns(time());
}

// A fleet in a random state, the strategy that picks from it, and random inputs.
class Case {
 public:
  Case(const std::string& text, std::mt19937_64& words, std::uint32_t cells)
      : snapshot_(MakeSnapshot(RandomFleet(words), cells)) {
    auto configured = LoadBalances().Configure(text);
    EXPECT_TRUE(configured.ok()) << configured.status().ToString();
    balance_ = *std::move(configured);
    for (std::uint32_t cell = 0; cell < cells; ++cell) snapshot_.Attach(cell);
    for (const auto& endpoint : snapshot_.endpoints()) LiveThrough(*endpoint, words, cells);
    balance_.BuildTables(snapshot_, nullptr);
    for (std::uint64_t left = words() % 4; left > 0 && snapshot_.size() > 0; --left) {
      excluded_.push_back(static_cast<Index>(words() % snapshot_.size()));
    }
    key_ = std::string(words() % 5, static_cast<char>(words()));
    request_ = {.method = "a.B/C", .key = key_, .key_hash = words(), .has_key = words() % 2 == 0};
    context_ = {.sequence = words(),
                .random = words(),
                .now_ns = static_cast<std::int64_t>(words() % 2'000'000'000),
                .excluded = excluded_};
  }
  Index Pick() const { return balance_.Pick(request_, snapshot_, context_); }
  std::string Explain() const { return balance_.Explain(request_, snapshot_, context_); }
  PickRecord Record() const { return RecordPick(balance_, request_, snapshot_, context_); }

 private:
  static std::vector<Provider> RandomFleet(std::mt19937_64& words) {
    std::vector<Provider> providers =
        EqualProviders(words() % 6 == 0 ? words() % 400 : words() % 9);
    const bool weighted = words() % 2 == 0;
    for (Provider& provider : providers) {
      if (weighted) provider.weight = static_cast<std::int32_t>(1 + words() % kMaxWeight);
      if (words() % 2 == 0) provider.zone = "k\u00f6ln \"7\"";
      if (words() % 2 == 0) provider.started_ms = static_cast<std::int64_t>(words() >> 2);
    }
    return providers;
  }

  Snapshot snapshot_;
  ConfiguredLoadBalance balance_;
  std::vector<Index> excluded_;
  std::string key_;
  RequestView request_;
  PickContext context_;
};

std::vector<std::string> Texts() {
  std::vector<std::string> texts;
  for (const std::string& name : LoadBalances().Names()) {
    texts.push_back(name);
    texts.push_back("bounded(c=1.1)|slow_start(window=1s)|" + name);
  }
  texts.insert(texts.end(), {"consistent_hash:hash=seed", "consistent_hash:bound=1.25",
                             "zone|subset(k=3)|slow_start(window=1s)|consistent_hash:hash=xxh64"});
  return texts;
}

class EveryPick : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(By, EveryPick, testing::ValuesIn(Texts()), [](const auto& each) {
  std::string name = each.param;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
});

TEST_P(EveryPick, ReplaysFromItsTextBitForBit) {
  std::mt19937_64 words(kSeed);
  for (int round = 0; round < 40; ++round) {
    const Case one(GetParam(), words, 1 + round % 2);
    const PickRecord record = one.Record();
    ASSERT_EQ(record.picked, one.Pick());
    const std::string text = record.ToText();
    ASSERT_EQ(text.find('\n'), std::string::npos);
    const auto parsed = PickRecord::Parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString() << "\n" << text;
    ASSERT_EQ(*parsed, record) << text;
    ASSERT_EQ(parsed->ToText(), text);
    const auto replayed = parsed->Replay();
    ASSERT_TRUE(replayed.ok()) << replayed.status().ToString();
    ASSERT_EQ(*replayed, record.picked) << text;
    ASSERT_EQ(*parsed->Explain(), one.Explain()) << text;
  }
}

PickRecord Small() {
  PickRecord record;
  record.strategy = "least_active";
  record.method = "a.B/C";
  record.sequence = std::numeric_limits<std::uint64_t>::max();
  record.now_ns = -5;
  record.excluded = {1};
  record.providers = {{{"h:1", 100}, {.active = 3, .latency_ns = 0.1F}}, {{"h:2", 7, "eu-1"}, {}}};
  record.picked = 0;
  return record;
}

TEST(PickRecordText, IsOneShortLine) {
  EXPECT_EQ(Small().ToText(),
            R"({"strategy":"least_active","method":"a.B/C","sequence":18446744073709551615,)"
            R"("now_ns":-5,"excluded":[1],"providers":[{"address":"h:1","weight":100,"active":3,)"
            R"("latency_ns":0.1},{"address":"h:2","weight":7,"zone":"eu-1"}],"picked":0})");
  PickRecord odd;
  odd.strategy = "x";
  odd.key = std::string("\0\x7f\"\\\xc3\n", 6);
  EXPECT_EQ(odd.ToText(),
            R"({"strategy":"x","key":"\u0000\u007f\u0022\u005c\u00c3\u000a","providers":[]})");
  EXPECT_EQ(*PickRecord::Parse(odd.ToText()), odd);
}

TEST(PickRecordText, IsReadInAnyOrderAndWithSpaces) {
  const auto parsed = PickRecord::Parse(
      R"( { "picked" : 0 , "providers" : [ { "weight" : 5 , "address" : "h:1" } ] ,)"
      "\t"
      R"("strategy" : "random" } )");
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_EQ(parsed->picked_address(), "h:1");
  EXPECT_EQ(parsed->providers[0].provider.weight, 5);
  EXPECT_EQ(*parsed->Replay(), 0U);
}

TEST(PickRecordText, MistakesAreNamedWithTheirPosition) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "position 1: expected '{'"},
      {"{", "position 2: expected '\"'"},
      {"{}", "expected \"strategy\" before it"},
      {R"({"strategy":1})", "position 13: expected '\"'"},
      {R"({"strategy":"r","x":1})", "position 17: expected a known name, not 'x'"},
      {R"({"strategy":"r","strategy":"r"})", "position 17: expected no second 'strategy'"},
      {R"({"strategy":"r","sequence":-1})", "position 28: expected a natural number of 64 bits"},
      {R"({"strategy":"r","random":18446744073709551616})", "position 26: expected a natural"},
      {R"({"strategy":"r","now_ns":1.5})", "position 27: expected '}'"},
      {R"({"strategy":"r","has_key":1})", "position 27: expected true or false"},
      {R"({"strategy":"\x"})", "position 14: expected \\u0000 to \\u00ff"},
      {R"({"strategy":"\u0100"})", "position 14: expected \\u0000 to \\u00ff"},
      {R"({"strategy":"r)", "position 15: expected '\"'"},
      {R"({"strategy":"r","excluded":[0]})", "\"excluded\" to be among the 0 providers"},
      {R"({"strategy":"r","picked":3})", "\"picked\" to be one of the 0 providers"},
      {R"({"strategy":"r","providers":[{}]})", "position 32: expected \"address\" before it"},
      {R"({"strategy":"r","providers":[{"address":"h:1","peak_ns":inf}]})", "expected a number"},
      {R"({"strategy":"r","providers":[{"address":"h:1","peak_ns":1e99}]})", "expected a number"},
      {R"({"strategy":"r"} x)", "position 18: expected the end of the line"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = PickRecord::Parse(text);
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(parsed.status().ToString(), HasSubstr(why)) << text;
  }
  // Cut off or changed anywhere it is refused, or it is another record; it never breaks.
  const std::string whole = Small().ToText();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(PickRecord::Parse(whole.substr(0, i)).ok()) << i;
    for (const char c : {'\0', '"', '}', '9', '\\', '\xff'}) {
      std::string changed = whole;
      changed[i] = c;
      const auto parsed = PickRecord::Parse(changed);
      EXPECT_TRUE(!parsed.ok() || changed == whole || !(*parsed == Small())) << changed;
    }
  }
}

TEST(PickRecord, OfAnUnknownStrategyCannotBeReplayed) {
  PickRecord record = Small();
  record.strategy = "homegrown";
  EXPECT_THAT(record.Replay().status().ToString(), HasSubstr("unknown load balance 'homegrown'"));
  EXPECT_EQ(record.Explain().status().code(), StatusCode::kInvalidArgument);
}

// Somebody counts all the time: what is recorded and what is picked belong together nevertheless.
TEST(PickRecord, IsExactWhileOthersCount) {
  const Balanced balanced("least_active", EqualProviders(5), 2);
  const auto configured = LoadBalances().Configure("least_active");
  std::atomic<bool> done{false};
  std::thread counter([&] {
    std::mt19937_64 words(kSeed);
    while (!done) {
      Endpoint& endpoint = balanced.snapshot().endpoint(static_cast<Index>(words() % 5));
      endpoint.OnStart(1, 1);
      endpoint.OnEnd(1, 1, static_cast<std::int64_t>(words() % 1000), Outcome::kAnswered);
    }
  });
  std::mt19937_64 words(kSeed);
  for (int call = 0; call < 2000 && !HasFailure(); ++call) {
    const PickRecord record =
        RecordPick(*configured, {}, balanced.snapshot(), {.random = words(), .now_ns = call});
    EXPECT_EQ(*record.Replay(), record.picked) << record.ToText();
  }
  done = true;
  counter.join();
}

}  // namespace
}  // namespace weir
