// An operator with a ZooKeeper client of his own: looks at and meddles with nodes, past weir.
#pragma once

#include <gtest/gtest.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
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
  // Everything above `path`, too.
  void CreateAll(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      Create(path.substr(0, slash), "");
    }
    Create(path, "");
  }
  // Many at once, in transactions.
  int CreateMany(const std::vector<std::string>& paths, const std::string& data) {
    constexpr std::size_t kBatch = 500;
    for (std::size_t from = 0; from < paths.size(); from += kBatch) {
      const std::size_t count = std::min(kBatch, paths.size() - from);
      std::vector<zoo_op_t> operations(count);
      std::vector<zoo_op_result_t> results(count);
      for (std::size_t i = 0; i < count; ++i) {
        zoo_create_op_init(&operations[i], paths[from + i].c_str(), data.data(),
                           static_cast<int>(data.size()), &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
      }
      const int code =
          zoo_multi(handle_, static_cast<int>(count), operations.data(), results.data());
      if (code != ZOK) return code;
    }
    return ZOK;
  }
  // From now on nobody may read or write it, or make children.
  int Lock(const std::string& path) {
    Id nobody{const_cast<char*>("digest"), const_cast<char*>("nobody:x")};
    ACL entry{ZOO_PERM_ALL, nobody};
    const ACL_vector access{1, &entry};
    return zoo_set_acl(handle_, path.c_str(), -1, &access);
  }
  int Set(const std::string& path, const std::string& data) {
    return zoo_set(handle_, path.c_str(), data.data(), static_cast<int>(data.size()), -1);
  }
  // The node and what is under it; whoever keeps making nodes there does so for as long as it
  // takes.
  bool DeleteAll(const std::string& path) {
    for (int attempt = 0; attempt < 100; ++attempt) {
      String_vector names{};
      if (zoo_get_children(handle_, path.c_str(), 0, &names) == ZOK) {
        for (int i = 0; i < names.count; ++i) DeleteAll(path + "/" + names.data[i]);
        deallocate_String_vector(&names);
      }
      const int code = Delete(path);
      if (code == ZOK || code == ZNONODE) return true;
    }
    return false;
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
