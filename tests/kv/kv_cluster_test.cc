// Ownership and liveness: three providers, one member list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "kv/kv_nodes.h"
#include "weir/kv/refusal.h"

namespace weir::kv {
namespace {

using ::testing::HasSubstr;

// A registry like mem://, whose documents can be read but are never told of: its clients learn of a
// new epoch only by being refused.
class SilentDocuments final : public DocumentStore {
 public:
  explicit SilentDocuments(DocumentStore& real) : real_(real) {}
  Result<Document> Read(std::string_view path) override { return real_.Read(path); }
  Result<std::int64_t> Write(std::string_view path, std::string_view content,
                             std::int64_t version) override {
    return real_.Write(path, content, version);
  }
  Result<std::unique_ptr<Subscription>> Watch(std::string_view, DocumentListener) override {
    return std::make_unique<Subscription>();
  }

 private:
  DocumentStore& real_;
};

class SilentRegistry final : public Registry {
 public:
  explicit SilentRegistry(std::shared_ptr<Registry> real)
      : real_(std::move(real)), documents_(*real_->documents()) {}
  Result<std::unique_ptr<Registration>> Register(Instance instance) override {
    return real_->Register(std::move(instance));
  }
  Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                              ProviderListener listener) override {
    return real_->Watch(std::move(service), std::move(listener));
  }
  Status WaitUntilRegistered(std::int64_t timeout) override {
    return real_->WaitUntilRegistered(timeout);
  }
  Result<std::vector<std::string>> Services() override { return real_->Services(); }
  DocumentStore* documents() noexcept override { return &documents_; }

 private:
  std::shared_ptr<Registry> real_;
  SilentDocuments documents_;
};

std::string KeyOf(const Client& client, const std::string& owner, int from = 0) {
  for (int i = from;; ++i) {
    std::string key = "key-" + std::to_string(i);
    if (*client.OwnerOf(key) == owner) return key;
  }
}

TEST(KvCluster, EveryKeyLiesAtItsOwnerAndNowhereElse) {
  Cluster cluster;
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  for (int i = 0; i < 300; ++i) {
    const std::string key = "key-" + std::to_string(i);
    ASSERT_TRUE(client->Put(key, "v" + key, WRITTEN).ok());
    const std::string owner = *client->OwnerOf(key);
    for (std::size_t n = 0; n < 3; ++n) {
      EXPECT_EQ(cluster.node(n).store().Get(key).ok(), cluster.node(n).address() == owner);
    }
    EXPECT_EQ(*client->Get(key), "v" + key);
  }
}

TEST(KvCluster, ScanMergesAllMembersInOrder) {
  Cluster cluster;
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  std::map<std::string, std::string> all;
  for (int i = 0; i < 400; ++i) {
    const std::string key = "key-" + std::to_string(i);
    all[key] = std::to_string(i);
    ASSERT_TRUE(client->Put(key, all[key], WRITTEN).ok());
  }
  for (const std::uint32_t limit : {1u, 10u, 1000u}) {
    std::vector<std::string> keys;
    ScanQuery query = ScanQuery().WithLimit(limit);
    for (bool more = true; more;) {
      const auto page = client->Scan(query);
      ASSERT_TRUE(page.ok()) << page.status().ToString();
      ASSERT_LE(page->entries.size(), limit);
      for (const KeyValue& entry : page->entries) {
        keys.push_back(entry.key);
        EXPECT_EQ(entry.value, all[entry.key]);
      }
      more = page->more;
      query.start = page->next;
    }
    EXPECT_EQ(keys.size(), all.size());
    EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  }
}

TEST(KvCluster, KeysOfADeadOwnerAreUnavailableAndNamedAndTheOthersGoOn) {
  Cluster cluster;
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  const std::string dead = cluster.node(1).address();
  const std::string lost = KeyOf(*client, dead);
  const std::string kept = KeyOf(*client, cluster.node(2).address());
  ASSERT_TRUE(client->Put(lost, "v").ok());
  ASSERT_TRUE(client->Put(kept, "v").ok());
  cluster.node(1).Stop();
  EXPECT_EQ(*client->Get(kept), "v");
  for (const Status& status :
       {client->Get(lost).status(), client->Put(lost, "w"), client->Delete(lost),
        client->Write(Batch().Put(lost, "w")), client->Scan(ScanQuery()).status()}) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status.ToString();
    EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to " + dead));
  }
}

TEST(KvCluster, RequestsOfAnotherEpochAreRefusedWithTheEpochKnown) {
  Cluster cluster;
  cluster.PublishAndWait();
  Channel channel(cluster.registry());
  const Kv::Stub stub(channel);
  const auto client = cluster.Open();
  const std::string owner = cluster.node(0).address();
  PutRequest put;
  put.set_key(KeyOf(*client, owner));
  for (const std::uint64_t epoch : {0u, 2u}) {
    put.set_epoch(epoch);
    const auto refused = stub.Put(put, CallOptions().WithProvider(owner));
    EXPECT_EQ(refused.status().code(), StatusCode::kAborted);
    const auto refusal = RefusalOf(refused.status());
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->reason(), OwnershipRefusal::OTHER_EPOCH);
    EXPECT_EQ(refusal->epoch(), 1u);
    ScanRequest scan;
    scan.set_epoch(epoch);
    EXPECT_EQ(stub.Scan(scan, CallOptions().WithProvider(owner)).status().code(),
              StatusCode::kAborted);
  }
  put.set_epoch(1);
  EXPECT_TRUE(stub.Put(put, CallOptions().WithProvider(owner)).ok());
}

TEST(KvCluster, KeysOfSomebodyElseAreRefusedWithTheirOwner) {
  Cluster cluster;
  cluster.PublishAndWait();
  Channel channel(cluster.registry());
  const auto client = cluster.Open();
  const std::string owner = cluster.node(0).address();
  GetRequest get;
  get.set_key(KeyOf(*client, owner));
  get.set_epoch(1);
  const auto refused =
      Kv::Stub(channel).Get(get, CallOptions().WithProvider(cluster.node(1).address()));
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  const auto refusal = RefusalOf(refused.status());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason(), OwnershipRefusal::NOT_OWNER);
  EXPECT_EQ(refusal->owner(), owner);
}

TEST(KvCluster, AClientThatMissedAChangeIsRefusedReadsTheListAndGoesOn) {
  Cluster cluster;
  cluster.PublishAndWait();
  Registries().Add("silent", [](const RegistryUrl& url) -> Result<std::shared_ptr<Registry>> {
    auto real = Registries().Open("mem://" + url.rest);
    if (!real.ok()) return real;
    return std::shared_ptr<Registry>(std::make_shared<SilentRegistry>(*std::move(real)));
  });
  const auto client = cluster.Open("silent://" + cluster.registry().substr(6));
  ASSERT_TRUE(client->Put("a", "1").ok());
  cluster.PublishAndWait();
  EXPECT_EQ((*client->Members())->epoch(), 1u);
  EXPECT_EQ(*client->Get("a"), "1");
  EXPECT_EQ((*client->Members())->epoch(), 2u);
  cluster.PublishAndWait();
  EXPECT_TRUE(client->Put("a", std::string(200'000, 'x')).ok());
  cluster.PublishAndWait();
  EXPECT_EQ(client->Scan(ScanQuery())->entries.size(), 1u);
}

TEST(KvCluster, AClientAheadOfTheProvidersWaitsForThem) {
  Cluster cluster;
  cluster.PublishAndWait();
  for (int i = 0; i < 20; ++i) {
    cluster.Publish();
    const auto client = cluster.Open();  // reads the newest list
    const Status put = client->Put("a", "1", WRITTEN);
    EXPECT_TRUE(put.ok()) << put.ToString();
  }
}

TEST(KvCluster, BatchOverTwoOwnersIsRefusedBeforeItIsSent) {
  Cluster cluster;
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  const std::string a = KeyOf(*client, cluster.node(0).address());
  const std::string b = KeyOf(*client, cluster.node(1).address());
  EXPECT_EQ(client->Write(Batch().Put(a, "1").Put(b, "1")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(client->Get(a).status().code(), StatusCode::kNotFound);
}

TEST(KvCluster, AProviderWithoutAMemberListServesNoKeys) {
  Cluster cluster;
  const auto client = Client::Open(cluster.registry(), {.cluster = "main"});
  EXPECT_EQ(client.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("cluster init"));
  Channel channel(cluster.registry());
  const auto put = Kv::Stub(channel).Put({});
  EXPECT_EQ(RefusalOf(put.status())->reason(), OwnershipRefusal::NO_MEMBER_LIST);
  EXPECT_TRUE(Kv::Stub(channel).Ping({}).ok());
}

TEST(KvCluster, AProviderWithAnotherStoreThanTheListSaysServesNoKeys) {
  Cluster cluster;
  Member& member = cluster.list().members[1];
  const std::string real = member.store_id;
  member.store_id = std::string(32, '0');
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  const std::string key = KeyOf(*client, member.address);
  const Status put = client->Put(key, "v");
  EXPECT_EQ(put.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(put.message()), HasSubstr("expects store " + member.store_id));
  EXPECT_FALSE(cluster.node(member.address).store().Get(key).ok());
  member.store_id = real;
  cluster.PublishAndWait();
  EXPECT_TRUE(client->Put(key, "v").ok());
}

TEST(KvCluster, AProviderThatIsNoLongerAMemberServesNoKeys) {
  Cluster cluster;
  cluster.PublishAndWait();
  const std::string removed = cluster.list().members[2].address;
  cluster.list().members.pop_back();
  cluster.PublishAndWait();
  const Status refusal = cluster.node(removed).service().refusal();
  EXPECT_EQ(RefusalOf(refusal)->reason(), OwnershipRefusal::NOT_MEMBER);
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("cluster add " + removed));
}

TEST(KvCluster, ADamagedMemberListStopsKeysAndIsNamed) {
  Cluster cluster;
  cluster.PublishAndWait();
  const auto client = cluster.Open();
  const std::string path = *MembersPath("main");
  const auto document = cluster.documents().Read(path);
  ASSERT_TRUE(cluster.documents().Write(path, "nonsense", document->version).ok());
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  Status refusal;
  while ((refusal = cluster.node(0).service().refusal()).ok()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    std::this_thread::yield();
  }
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("damaged at line 1"));
}

}  // namespace
}  // namespace weir::kv
