// Values that everything else speaks in: Status, Result, Address.
#include "weir/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "weir/address.h"

namespace weir::test {
namespace {

TEST(Statuses, CopiesAreEqualAndIndependent) {
  Status first(StatusCode::kNotFound, "key 'a'", "details");
  Status copy = first;
  EXPECT_EQ(copy, first);
  EXPECT_EQ(copy.details(), "details");
  first = Status();
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(first.code(), StatusCode::kOk);
  EXPECT_EQ(first.message(), "");
  EXPECT_EQ(copy.ToString(), "NOT_FOUND: key 'a'");
  Status& self = copy;
  copy = self;
  EXPECT_EQ(copy.message(), "key 'a'");
  EXPECT_EQ(Status().ToString(), "OK");
}

TEST(Statuses, EveryCodeHasItsName) {
  EXPECT_EQ(StatusCodeName(StatusCode::kOk), "OK");
  EXPECT_EQ(StatusCodeName(StatusCode::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(17)), "UNKNOWN");
}

TEST(Results, HoldAValueOrAFailure) {
  Result<std::unique_ptr<int>> value(std::make_unique<int>(7));
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(**value, 7);
  EXPECT_TRUE(value.status().ok());
  const std::unique_ptr<int> taken = *std::move(value);
  EXPECT_EQ(*taken, 7);
  const Result<int> failure = Unavailable("gone");
  EXPECT_FALSE(failure);
  EXPECT_EQ(failure.status(), Unavailable("gone"));
  EXPECT_EQ(Result<int>().status().code(), StatusCode::kUnknown);
}

TEST(Addresses, AreReadAndWrittenAlike) {
  for (const std::string text :
       {"127.0.0.1:80", "host-1.example:65535", "[::1]:0", "[fe80::1%eth0]:7"}) {
    const Result<Address> address = Address::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status().ToString();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(Addresses, MistakesAreNamed) {
  for (const std::string text :
       {"", ":", ":80", "host", "host:", "host:-1", "host:65536", "host:8o", "host: 80", "::1:80",
        "[::1]", "[::1]80", "[host]:80", "[::1:80", "ho st:80", "host/x:80"}) {
    const Result<Address> address = Address::Parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(address.status().message().find("'" + text + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir::test
