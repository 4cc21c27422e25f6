// The routing key a stub hands over for each type of field, compiled against recording/weir/stub.h.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "no_package.weir.h"
#include "rich.weir.h"
#include "weir/detail/hash_key.h"

namespace {

namespace rich = weir::test::rich;
using Key = std::optional<std::string>;

const weir::Channel channel;
const rich::Store::Stub store(channel);

TEST(HashKey, AStringIsTakenAsItIs) {
  rich::TextKey request;
  EXPECT_TRUE(store.Get(request).ok());
  EXPECT_EQ(weir::recorded_call.key, Key(""));  // without `optional` it is always there
  request.set_key("user:7");
  EXPECT_TRUE(store.Get(request).ok());
  EXPECT_EQ(weir::recorded_call.key, Key("user:7"));
  EXPECT_EQ(weir::recorded_call.method, "weir.test.rich.Store/Get");
}

TEST(HashKey, BytesAreTakenAsTheyAre) {
  rich::BytesKey request;
  request.set_key(std::string("a\0\xFF", 3));
  EXPECT_TRUE(store.Put(request).ok());
  EXPECT_EQ(weir::recorded_call.key, Key(std::string("a\0\xFF", 3)));
}

TEST(HashKey, AnIntegerIsTakenAsDecimalText) {
  rich::Int32Key small;
  EXPECT_TRUE(store.Count(small).ok());
  EXPECT_EQ(weir::recorded_call.key, Key("0"));
  small.set_key(std::numeric_limits<std::int32_t>::min());
  EXPECT_TRUE(store.Count(small).ok());
  EXPECT_EQ(weir::recorded_call.key, Key("-2147483648"));
  rich::Uint64Key large;
  large.set_class_(std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(store.Find(large).ok());
  EXPECT_EQ(weir::recorded_call.key, Key("18446744073709551615"));
}

TEST(HashKey, TheDecimalTextHoldsBothExtremes) {
  EXPECT_EQ(weir::detail::DecimalText(std::numeric_limits<std::int64_t>::min()).view(),
            "-9223372036854775808");
  EXPECT_EQ(weir::detail::DecimalText(std::numeric_limits<std::int64_t>::max()).view(),
            "9223372036854775807");
}

TEST(HashKey, AnOptionalFieldThatIsNotSetIsNoKey) {
  rich::OptionalTextKey request;
  EXPECT_TRUE(store.MaybeText(request).ok());
  EXPECT_EQ(weir::recorded_call.key, std::nullopt);
  request.set_key("");
  EXPECT_TRUE(store.MaybeText(request).ok());
  EXPECT_EQ(weir::recorded_call.key, Key(""));
}

TEST(HashKey, AProto2FieldThatIsNotSetIsNoKey) {
  const RootService::Stub root(channel);
  RootRequest request;
  EXPECT_TRUE(root.Ask(request).ok());
  EXPECT_EQ(weir::recorded_call.key, std::nullopt);
  request.set_id(7);
  EXPECT_TRUE(root.Ask(request).ok());
  EXPECT_EQ(weir::recorded_call.key, Key("7"));
}

TEST(HashKey, ARequestWithoutAMarkedFieldHasNoKey) {
  EXPECT_TRUE(store.Plain(shared::Types_Number()).ok());
  EXPECT_EQ(weir::recorded_call.key, std::nullopt);
}

TEST(HashKey, ACallWithACompletionTokenHandsOverTheSameKey) {
  const auto ignore = [](const auto&) {};
  rich::TextKey text;
  text.set_key("k");
  store.Get(text, {}, ignore);
  EXPECT_EQ(weir::recorded_call.key, Key("k"));
  rich::Int32Key number;
  number.set_key(-5);
  store.Count(number, {}, ignore);
  EXPECT_EQ(weir::recorded_call.key, Key("-5"));
  store.MaybeText(rich::OptionalTextKey(), {}, ignore);
  EXPECT_EQ(weir::recorded_call.key, std::nullopt);
}

}  // namespace
