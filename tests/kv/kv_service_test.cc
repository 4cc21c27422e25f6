// The store as a service: what its methods do, without a cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "kv/kv_nodes.h"
#include "weir/kv/limits.h"
#include "weir/kv/testing/fault_vfs.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

class KvServiceAlone : public ::testing::Test {
 protected:
  KvServiceAlone()
      : registry_(TestRegistry()),
        node_(registry_, "", directory_.Path("store")),
        client_(*Client::Open(registry_)),
        channel_(registry_),
        stub_(channel_) {}

  std::string registry_;
  testing::TempDir directory_;
  Node node_;
  std::unique_ptr<Client> client_;
  Channel channel_;
  Kv::Stub stub_;
};

TEST_F(KvServiceAlone, PutGetDeleteKeepBytesOfEveryKindAndSize) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kAttachFrom - 1, kAttachFrom, std::size_t{5'000'000}}) {
    std::string value(size, '\0');
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 2654435761u >> 13);
    const std::string key = std::string("k\0\n\xff", 4) + std::to_string(size);
    ASSERT_TRUE(client_->Put(key, value).ok()) << size;
    EXPECT_EQ(*client_->Get(key), value) << size;
    EXPECT_EQ(*node_.store().Get(key), value) << size;
    ASSERT_TRUE(client_->Delete(key).ok());
    EXPECT_EQ(client_->Get(key).status().code(), StatusCode::kNotFound);
    EXPECT_TRUE(client_->Delete(key).ok());
  }
  ASSERT_TRUE(client_->Put("", "the empty key").ok());
  EXPECT_EQ(*client_->Get(""), "the empty key");
}

TEST_F(KvServiceAlone, LimitsAreToldAndTheConnectionStays) {
  EXPECT_EQ(client_->Put(std::string(kMaxKeySize + 1, 'k'), "v").code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->Put("k", std::string(kMaxAttachedValue + 1, 'v')).code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(client_->Put("k", "v").ok());
}

TEST_F(KvServiceAlone, BatchIsAppliedAsOneAndItsLastStepCounts) {
  ASSERT_TRUE(client_->Put("gone", "x").ok());
  ASSERT_TRUE(client_->Write(Batch().Put("a", "1").Delete("gone").Put("a", "2")).ok());
  EXPECT_EQ(*client_->Get("a"), "2");
  EXPECT_EQ(client_->Get("gone").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(client_->Write(Batch()).code(), StatusCode::kInvalidArgument);
  BatchRequest nothing;
  nothing.add_steps()->set_key("k");
  EXPECT_EQ(stub_.Write(nothing).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(KvServiceAlone, EveryFormOfTheClientCompletes) {
  ASSERT_TRUE(client_->Put("k", "v", AS_SERVER, asio::use_future).get().ok());
  std::promise<Result<std::string>> called;
  client_->Get("k", [&](Result<std::string> value) { called.set_value(std::move(value)); });
  EXPECT_EQ(*called.get_future().get(), "v");
  asio::io_context io;
  std::string seen;
  asio::co_spawn(
      io,
      [&]() -> asio::awaitable<void> {
        const Status put = co_await client_->Put("c", "w", SYNCED, asio::use_awaitable);
        Result<std::string> value = co_await client_->Get("c", asio::use_awaitable);
        const Result<ScanPage> page =
            co_await client_->Scan(ScanQuery().WithPrefix("c"), asio::use_awaitable);
        const Status gone = co_await client_->Delete("c", AS_SERVER, asio::use_awaitable);
        if (put.ok() && gone.ok() && page.ok()) seen = *value + page->entries.at(0).value;
      },
      asio::detached);
  io.run();
  EXPECT_EQ(seen, "ww");
  EXPECT_TRUE(client_->Write(Batch().Put("b", "1"), AS_SERVER, asio::use_future).get().ok());
}

TEST_F(KvServiceAlone, BlockingFormOnAThreadOfItsRuntimeIsRefused) {
  std::promise<StatusCode> code;
  client_->Put("k", "v", AS_SERVER,
               [&](const Status&) { code.set_value(client_->Get("k").status().code()); });
  EXPECT_EQ(code.get_future().get(), StatusCode::kFailedPrecondition);
}

TEST_F(KvServiceAlone, ScanPagesHoldExactlyTheKeysAskedFor) {
  std::map<std::string, std::string> all;
  for (int i = 0; i < 500; ++i) all["k" + std::to_string(i)] = std::to_string(i);
  all["large"] = std::string(kMaxPageValue + 1, 'l');
  for (const auto& [key, value] : all) ASSERT_TRUE(client_->Put(key, value, WRITTEN).ok());
  std::map<std::string, std::string> seen;
  ScanQuery query = ScanQuery().WithStart("k100").WithEnd("lb").WithLimit(7);
  for (bool more = true; more;) {
    const auto page = client_->Scan(query);
    ASSERT_TRUE(page.ok()) << page.status().ToString();
    EXPECT_LE(page->entries.size(), 7u);
    for (const KeyValue& entry : page->entries) seen[entry.key] = entry.value;
    more = page->more;
    query.start = page->next;
  }
  const std::map<std::string, std::string> expected(all.lower_bound("k100"), all.lower_bound("lb"));
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(client_->Scan(ScanQuery().WithPrefix("k49").KeysOnly())->entries.size(), 11u);
}

TEST_F(KvServiceAlone, StatsAndPingSayWhoAnswers) {
  ASSERT_TRUE(client_->Put("k", "v").ok());
  const auto stats = client_->Stats(node_.address());
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->address(), node_.address());
  EXPECT_EQ(stats->store_id(), node_.store().id());
  EXPECT_EQ(stats->keys(), 1u);
  EXPECT_EQ(stats->epoch(), 0u);
  EXPECT_TRUE(stats->serving());
  EXPECT_FALSE(stats->version().empty());
  EXPECT_EQ(stub_.Ping({})->address(), node_.address());
}

TEST_F(KvServiceAlone, TwoProvidersWithoutAClusterAreRefusedInsteadOfSplittingTheKeys) {
  Node other(registry_, "", directory_.Path("other"));
  const auto client = Client::Open(registry_);
  ASSERT_TRUE(client.ok());
  const Status put = (*client)->Put("k", "v");
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(put.message()), HasSubstr("name the cluster"));
}

TEST_F(KvServiceAlone, ARequestOfAClusterIsRefusedByAProviderOfNone) {
  PutRequest request;
  request.set_epoch(3);
  EXPECT_EQ(stub_.Put(request).status().code(), StatusCode::kFailedPrecondition);
}

TEST(KvServiceDurability, AcknowledgedIsAsDurableAsAsked) {
  testing::TempDir directory;
  const std::string registry = TestRegistry();
  Node node(registry, "", directory.Path("store"), {.sync = {.mode = SyncMode::kNone}});
  Channel channel(registry);
  Kv::Stub stub(channel);
  PutRequest request;
  EXPECT_FALSE(stub.Put(request)->durable());
  request.set_durability(SYNCED);
  const auto reply = stub.Put(request);
  EXPECT_TRUE(reply->durable());
  EXPECT_GE(node.store().GetStats().durable_seq, reply->seq());
}

TEST(KvServiceDurability, AFailedSyncIsNeverAcknowledged) {
  auto vfs = std::make_shared<FaultVfs>();
  const std::string registry = TestRegistry();
  Node node(registry, "", "/store", {.vfs = vfs});
  const auto client = Client::Open(registry);
  ASSERT_TRUE((*client)->Put("before", "v").ok());
  const Fault fault;
  vfs->SetPlan([&](std::uint64_t, Call call, const std::string&) {
    return call == Call::kSync ? &fault : nullptr;
  });
  EXPECT_EQ((*client)->Put("k", "v").code(), StatusCode::kUnknown);
  EXPECT_EQ((*client)->Put("l", "v").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(*(*client)->Get("before"), "v");
  EXPECT_TRUE((*client)->Stats(node.address())->fenced());
}

}  // namespace
}  // namespace weir::kv
