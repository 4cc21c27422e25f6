// An operator with a ZooKeeper client of his own: looks at and meddles with nodes, past weir.
#pragma once

#include <gtest/gtest.h>
#include <zookeeper/zookeeper.h>

#include <optional>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/zookeeper_server.h"

namespace weir::testing {

// A resource; uses the client's blocking calls. The server must be running.
class ZkOperator {
 public:
  explicit ZkOperator(const ZooKeeperServer& server) {
    handle_ = zookeeper_init2(
        server.address().c_str(), [](zhandle_t*, int, int, const char*, void*) {}, 10'000, nullptr,
        nullptr, 0, [](const char*) {});
    EXPECT_TRUE(WaitUntil([this] { return zoo_state(handle_) == ZOO_CONNECTED_STATE; },
                          std::chrono::seconds(20)));
  }
  ~ZkOperator() { zookeeper_close(handle_); }
  ZkOperator(const ZkOperator&) = delete;
  ZkOperator& operator=(const ZkOperator&) = delete;

  int Create(const std::string& path, const std::string& data) {
    return zoo_create(handle_, path.c_str(), data.data(), static_cast<int>(data.size()),
                      &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
  }
  int Set(const std::string& path, const std::string& data) {
    return zoo_set(handle_, path.c_str(), data.data(), static_cast<int>(data.size()), -1);
  }
  int Delete(const std::string& path) { return zoo_delete(handle_, path.c_str(), -1); }
  std::optional<std::string> Get(const std::string& path) {
    std::string data(256, '\0');
    int size = static_cast<int>(data.size());
    if (zoo_get(handle_, path.c_str(), 0, data.data(), &size, nullptr) != ZOK) return std::nullopt;
    data.resize(static_cast<std::size_t>(size > 0 ? size : 0));
    return data;
  }
  // The session that owns the node; 0 when it is persistent or not there.
  std::uint64_t Owner(const std::string& path) {
    Stat stat{};
    return zoo_exists(handle_, path.c_str(), 0, &stat) == ZOK
               ? static_cast<std::uint64_t>(stat.ephemeralOwner)
               : 0;
  }

 private:
  zhandle_t* handle_;
};

}  // namespace weir::testing
