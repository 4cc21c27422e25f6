// Calls by descriptor, and what a channel says of its providers.
#include "weir/generic_stub.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <asio/use_future.hpp>
#include <future>
#include <memory>
#include <string>

#include "core/echo_service.h"

namespace weir::test {
namespace {

using ::testing::Each;
using ::testing::Field;
using ::testing::SizeIs;

const google::protobuf::ServiceDescriptor& EchoDescriptor() {
  return *EchoRequest::descriptor()->file()->FindServiceByName("Echo");
}

// A reply of which only the size matters.
struct SizeOnly {
  bool ParseFromArray(const void*, int size) {
    bytes = size;
    return true;
  }
  int bytes = -1;
};

class GenericCalls : public ::testing::Test {
 protected:
  GenericCalls()
      : registry_(std::string("mem://generic/") +
                  testing::UnitTest::GetInstance()->current_test_info()->name()),
        server_(StartEcho(registry_, "a")),
        channel_(registry_),
        described_(EchoDescriptor()),
        stub_(channel_, described_.info()) {
    request_.set_payload("hello");
  }

  const MethodInfo& Method(const char* name) const {
    return described_.method(*EchoDescriptor().FindMethodByName(name));
  }

  std::string registry_;
  std::unique_ptr<Server> server_;
  Channel channel_;
  DescribedService described_;
  GenericStub stub_;
  EchoRequest request_;
};

TEST_F(GenericCalls, DescribedServiceSaysWhatGeneratedCodeSays) {
  EXPECT_EQ(described_.info().full_name, "weir.test.Echo");
  ASSERT_EQ(described_.info().methods.size(), 5u);
  EXPECT_EQ(Method("Coroutine").full_name, "weir.test.Echo/Coroutine");
  EXPECT_EQ(Method("Coroutine").index, 1u);
  EXPECT_TRUE(Method("Blocking").blocking);
  EXPECT_FALSE(Method("Plain").blocking);
  EXPECT_TRUE(Method("Idempotent").idempotent);
  EXPECT_FALSE(Method("Plain").idempotent);
}

TEST_F(GenericCalls, BlockingCallFillsADynamicMessage) {
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> reply(
      factory.GetPrototype(EchoReply::descriptor())->New());
  const Status status = stub_.Call(Method("Plain"), request_, *reply);
  ASSERT_TRUE(status.ok()) << status.ToString();
  const auto* field = reply->GetDescriptor()->FindFieldByName("payload");
  EXPECT_EQ(reply->GetReflection()->GetString(*reply, field), "hello");
  request_.set_code(5);
  EXPECT_EQ(stub_.Call(Method("Plain"), request_, *reply).code(), StatusCode::kNotFound);
}

TEST_F(GenericCalls, AsynchronousCallTakesAReplyThatIsNoMessage) {
  auto answered = stub_.Call<SizeOnly>(Method("Coroutine"), request_, {}, {}, asio::use_future);
  const Result<SizeOnly> size = answered.get();
  ASSERT_TRUE(size.ok()) << size.status().ToString();
  EXPECT_GT(size->bytes, 5);
}

TEST_F(GenericCalls, GeneratedStubOnTheSameChannelCallsTheSameMethods) {
  const Echo::Stub generated(channel_);
  EchoReply reply;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stub_.Call(Method("Idempotent"), request_, reply).ok());
    ASSERT_TRUE(generated.Idempotent(request_).ok());
    ASSERT_TRUE(generated.Plain(request_).ok());
  }
}

TEST_F(GenericCalls, ChannelCountsTheCallsOfEachProvider) {
  EXPECT_TRUE(Channel("mem://generic/nobody").Providers("weir.test.Echo").empty());
  const auto second = StartEcho(registry_, "b");
  // The list of two reaches the channel when it does.
  std::vector<ProviderState> before;
  while (before.size() < 2) before = channel_.Providers("weir.test.Echo");
  EXPECT_THAT(before, Each(Field(&ProviderState::calls, 0u)));
  EchoReply reply;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stub_.Call(Method("Plain"), request_, reply).ok());
  const std::vector<ProviderState> after = channel_.Providers("weir.test.Echo");
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_EQ(after[0].calls + after[1].calls, 20u);
  EXPECT_THAT(after, Each(Field(&ProviderState::weight, kDefaultWeight)));
  EXPECT_THAT(after, Each(Field(&ProviderState::active, 0u)));
}

TEST_F(GenericCalls, WaitingForProvidersFirstLeavesTheMethodsTheirNumbers) {
  // Every service has this provider, so all calls share a connection.
  Channel channel("list://" + server_->address());
  ASSERT_TRUE(channel.WaitForProviders("weir.test.Echo", std::chrono::seconds(30)).ok());
  const GenericStub stub(channel, described_.info());
  // Numbered behind Echo's: were Echo's methods not counted, both would have the same numbers.
  const ServiceInfo other{.full_name = "weir.test.Other", .methods = described_.info().methods};
  const GenericStub second(channel, other);
  EchoReply reply;
  ASSERT_TRUE(stub.Call(Method("Plain"), request_, reply).ok());
  static constexpr MethodInfo kUnknown{.full_name = "weir.test.Other/Plain", .index = 0};
  EXPECT_EQ(second.Call(kUnknown, request_, reply).code(), StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace weir::test
