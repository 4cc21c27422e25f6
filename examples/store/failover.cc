#include "failover.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weir/channel.h"
#include "weir/kv/client.h"
#include "weir/kv/kv.weir.h"
#include "weir/load_balance.h"

namespace {

using weir::kv::Kv;

constexpr std::size_t kKeysPerMember = 200;

volatile std::sig_atomic_t g_stop = 0;

// A key with what its value must be.
struct Sample {
  std::string key;
  std::uint64_t value_hash = 0;
};

// Keys of every member, with what their values are now.
weir::Result<std::map<std::string, std::vector<Sample>>> TakeSamples(weir::kv::Client& client) {
  std::map<std::string, std::vector<Sample>> samples;
  auto page = client.Scan(weir::kv::ScanQuery());
  while (page.ok()) {
    for (const weir::kv::KeyValue& entry : page->entries) {
      auto owner = client.OwnerOf(entry.key);
      if (!owner.ok()) return std::move(owner).status();
      std::vector<Sample>& keys = samples[*owner];
      if (keys.size() < kKeysPerMember) {
        keys.push_back({entry.key, weir::HashKey(entry.value)});
      }
    }
    if (!page->more) return samples;
    page = client.Scan(weir::kv::ScanQuery().WithStart(page->next));
  }
  return std::move(page).status();
}

// What came of the reads of one member's keys.
struct KeyCounts {
  std::atomic<int> right{0};
  std::atomic<int> unavailable{0};  // and the message names the member
  std::atomic<int> failed{0};
  std::atomic<int> wrong{0};
};

void Complain(const std::string& what) {
  std::printf("  %s\n", what.c_str());
}

void ReadKeys(weir::kv::Client& client, const std::string& member, const std::vector<Sample>& keys,
              KeyCounts& counts) {
  for (std::size_t i = 0; !g_stop && !keys.empty(); i = (i + 1) % keys.size()) {
    const weir::Result<std::string> value = client.Get(keys[i].key);
    if (value.ok()) {
      const bool right = weir::HashKey(*value) == keys[i].value_hash;
      ++(right ? counts.right : counts.wrong);
      if (!right) Complain("wrong value of key " + keys[i].key);
    } else if (value.status().code() == weir::StatusCode::kUnavailable &&
               value.status().message().find(member) != std::string_view::npos) {
      ++counts.unavailable;
    } else {
      if (++counts.failed == 1) Complain("key " + keys[i].key + ": " + value.status().ToString());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void CallBalanced(const Kv::Stub& stub, std::atomic<int>& answered, std::atomic<int>& failed) {
  while (!g_stop) {
    const weir::Result<weir::kv::PingReply> reply = stub.Ping({});
    if (reply.ok()) {
      ++answered;
    } else if (++failed == 1) {
      Complain("balanced call: " + reply.status().ToString());
    }
  }
}

}  // namespace

int WatchFailover(const std::string& registry, const std::string& cluster,
                  const std::string& dead) {
  auto client = weir::kv::Client::Open(registry, {.cluster = cluster});
  if (!client.ok()) {
    std::fprintf(stderr, "error: %s\n", client.status().ToString().c_str());
    return 1;
  }
  const auto samples = TakeSamples(**client);
  if (!samples.ok()) {
    std::fprintf(stderr, "error: %s\n", samples.status().ToString().c_str());
    return 1;
  }
  std::signal(SIGINT, [](int) { g_stop = 1; });
  std::signal(SIGTERM, [](int) { g_stop = 1; });

  weir::Channel channel(registry, {.load_balance = "round_robin"});
  const Kv::Stub stub(channel);
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::map<std::string, KeyCounts> counts;
  std::vector<std::thread> threads;
  threads.emplace_back([&] { CallBalanced(stub, answered, failed); });
  for (const auto& [member, keys] : *samples) {
    threads.emplace_back([&client, &member = member, &keys = keys, &count = counts[member]] {
      ReadKeys(**client, member, keys, count);
    });
  }
  std::printf("watching\n");
  std::fflush(stdout);
  while (!g_stop) {
    for (int i = 0; i < 20 && !g_stop; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::printf("  balanced calls: %d answered, %d failed\n", answered.load(), failed.load());
    std::fflush(stdout);
  }
  for (std::thread& thread : threads) thread.join();

  bool good = failed == 0 && answered > 0;
  std::printf("  %-22s %8d answered %8d failed\n", "balanced calls", answered.load(),
              failed.load());
  for (const auto& [member, count] : counts) {
    const bool is_dead = member == dead;
    std::printf("  keys of %-14s %8d right %8d UNAVAILABLE naming it %4d failed %4d wrong%s\n",
                member.c_str(), count.right.load(), count.unavailable.load(), count.failed.load(),
                count.wrong.load(), is_dead ? "  (killed)" : "");
    good = good && count.failed == 0 && count.wrong == 0 && count.right > 0;
    good = good && (count.unavailable > 0) == is_dead;
  }
  std::printf("%s\n", good ? "as it must be" : "NOT as it must be");
  return good ? 0 : 1;
}
