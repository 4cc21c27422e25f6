// Values that everything else speaks in: Status, Result.
#include "weir/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

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

}  // namespace
}  // namespace weir::test
