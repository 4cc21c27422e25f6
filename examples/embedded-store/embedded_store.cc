// The store's engine inside a program: orders that are taken once, sessions that vanish, a report
// over one moment, a follower, a copy.
//
//   embedded-store [DIRECTORY]     a new, empty directory; default: one that is removed at the end
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "weir/kv/change_feed.h"
#include "weir/kv/store.h"

namespace {

using weir::Status;
using weir::kv::Store;

void Check(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "embedded-store: %s\n", status.ToString().c_str());
  std::exit(1);
}

// Taking an order lowers the stock; all or nothing, and only if nobody else was faster.
Status TakeOrder(Store& store, const std::string& order) {
  while (true) {
    const auto stock = store.GetEntry("stock/apples");
    if (!stock.ok()) return stock.status();
    if (stock->value == "0") return weir::FailedPrecondition("no apples are left");
    weir::kv::WriteBatch batch;
    batch.RequireSeq("stock/apples", stock->seq);
    batch.RequireAbsent("order/" + order);
    batch.Put("stock/apples", std::to_string(std::stoi(stock->value) - 1));
    batch.Put("order/" + order, "one apple");
    Status status = store.Write(batch);
    if (status.code() != weir::StatusCode::kAborted) return status;
    if (store.Get("order/" + order).ok())
      return weir::AlreadyExists("order " + order + " is taken");
  }
}

void Tour(Store& store, const std::string& copy) {
  Check(store.Put("stock/apples", "3"));
  Check(TakeOrder(store, "1001"));
  Check(TakeOrder(store, "1002"));
  std::printf("again: %s\n", TakeOrder(store, "1002").ToString().c_str());
  Check(store.Put("session/ada", "token", {.ttl = std::chrono::minutes(30)}));

  // A snapshot stays as it is, whatever is written meanwhile.
  const auto snapshot = store.GetSnapshot();
  Check(TakeOrder(store, "1003"));
  std::printf("before the last order:");
  for (auto scan = store.Scan({.prefix = "order/", .reverse = true, .snapshot = snapshot});
       scan->Valid(); scan->Next()) {
    std::printf(" %s", std::string(scan->key()).c_str());
  }
  std::printf("\n");

  // Every commit from the first on, whole and in order.
  auto feed = store.Changes(1);
  Check(feed.status());
  for (; (*feed)->Valid(); (*feed)->Next()) {
    std::printf("commit %llu:", static_cast<unsigned long long>((*feed)->seq()));
    for (const auto& operation : (*feed)->operations()) {
      std::printf(" %s", std::string(operation.key).c_str());
    }
    std::printf("\n");
  }
  Check((*feed)->status());

  // A copy of this moment, by hard links; it opens like any store.
  std::uint64_t last_seq = 0;
  Check(store.Checkpoint(copy, &last_seq));
  auto opened = Store::Open(copy, {.read_only = true});
  Check(opened.status());
  std::printf("the copy of commit %llu has %s apples\n", static_cast<unsigned long long>(last_seq),
              (*opened)->Get("stock/apples")->c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory;
  if (argc > 1) {
    directory = argv[1];
  } else {
    std::string name = (std::filesystem::temp_directory_path() / "embedded-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      std::perror("embedded-store: cannot make a temporary directory");
      return 1;
    }
    directory = name;
  }
  std::filesystem::create_directories(directory);
  {
    auto store = Store::Open(directory + "/store");
    Check(store.status());
    Tour(**store, directory + "/copy");
  }
  if (argc <= 1) std::filesystem::remove_all(directory);
}
