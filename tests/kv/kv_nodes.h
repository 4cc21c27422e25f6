// Providers of the store inside the test's process.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/temp_dir.h"
#include "weir/kv/client.h"
#include "weir/kv/kv_service.h"
#include "weir/kv/members.h"
#include "weir/kv/store.h"
#include "weir/server.h"

namespace weir::kv {

// A name for a mem:// registry of the running test's own.
inline std::string TestRegistry() {
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  return std::string("mem://") + test->test_suite_name() + "." + test->name();
}

// One provider; a resource.
class Node {
 public:
  Node(const std::string& registry, const std::string& cluster, const std::string& directory,
       Options options = {}, const std::string& listen = "127.0.0.1:0")
      : server_({.listen = listen, .threads = {.reactors = 1}}) {
    Expect(server_.Listen());
    auto store = Store::Open(directory, std::move(options));
    if (!store.ok()) throw std::runtime_error(store.status().ToString());
    store_ = *std::move(store);
    auto service = std::make_unique<KvService>(*store_, server_.address());
    service_ = service.get();
    if (!cluster.empty()) Expect(service->JoinCluster(*Registries().Open(registry), cluster));
    server_.Add(std::move(service));
    server_.RegisterAt(registry);
    Expect(server_.Start());
    address_ = server_.address();
  }
  ~Node() { Stop(); }

  void Stop() {
    server_.Stop();
    (void)store_->Close();
  }

  const std::string& address() const { return address_; }
  Store& store() { return *store_; }
  KvService& service() { return *service_; }

 private:
  static void Expect(const Status& status) {
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }

  std::unique_ptr<Store> store_;  // outlives the server
  Server server_;
  KvService* service_ = nullptr;
  std::string address_;
};

// Three providers with weights 1, 2, 3 and the member list that names them.
class Cluster {
 public:
  explicit Cluster(std::string registry = TestRegistry()) : registry_(std::move(registry)) {
    for (int i = 0; i < 3; ++i) {
      nodes_.push_back(
          std::make_unique<Node>(registry_, "main", directory_.Path(std::to_string(i))));
      list_.members.push_back({nodes_.back()->address(), i + 1, nodes_.back()->store().id()});
    }
    std::sort(list_.members.begin(), list_.members.end(),
              [](const Member& a, const Member& b) { return a.address < b.address; });
    list_.cluster = "main";
    list_.unit = RingUnitFor(list_.members);
  }

  // Writes the next epoch of the list.
  void Publish() {
    ++list_.epoch;
    const auto written = documents().Write(*MembersPath("main"), list_.ToText(), version_);
    ASSERT_TRUE(written.ok()) << written.status().ToString();
    version_ = *written;
  }
  // Publishes, and waits until every provider knows.
  void PublishAndWait() {
    Publish();
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (const auto& node : nodes_) {
      while (node->service().epoch() != list_.epoch) {
        ASSERT_LT(std::chrono::steady_clock::now(), give_up) << node->address();
        std::this_thread::yield();
      }
    }
  }

  DocumentStore& documents() {
    if (!opened_) opened_ = *Registries().Open(registry_);
    return *opened_->documents();
  }
  MemberList& list() { return list_; }
  const std::string& registry() const { return registry_; }
  Node& node(std::size_t i) { return *nodes_[i]; }
  Node& node(const std::string& address) {
    for (const auto& node : nodes_) {
      if (node->address() == address) return *node;
    }
    throw std::runtime_error("no node " + address);
  }
  std::unique_ptr<Client> Open(const std::string& registry = {}) {
    auto client = Client::Open(registry.empty() ? registry_ : registry, {.cluster = "main"});
    if (!client.ok()) throw std::runtime_error(client.status().ToString());
    return *std::move(client);
  }

 private:
  const std::string registry_;
  testing::TempDir directory_;
  std::vector<std::unique_ptr<Node>> nodes_;
  MemberList list_;
  std::int64_t version_ = -1;
  std::shared_ptr<Registry> opened_;
};

}  // namespace weir::kv
