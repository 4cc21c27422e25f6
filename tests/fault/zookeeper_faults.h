// What the tests of ZooKeeper's faults share: provider processes, and the tree as the servers
// themselves see it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fault/steady_load.h"
#include "support/process.h"

namespace weir::test {

using namespace std::chrono_literals;
using weir::testing::Process;
using weir::testing::WaitUntil;
using Clock = std::chrono::steady_clock;

inline constexpr const char* kEcho = "weir.test.Echo";
inline constexpr auto kPatience = 20s;

// A provider of Echo in a process of its own, listening; it registers meanwhile.
class ProviderProcess {
 public:
  explicit ProviderProcess(const std::string& registry, const std::string& listen = "127.0.0.1:0")
      : process_({WEIR_FAULT_PROVIDER, registry, listen}) {
    const auto line = process_.WaitForLine("listening on ", kPatience);
    EXPECT_TRUE(line.has_value()) << process_.Errors();
    if (line) address_ = line->substr(13);
  }
  ~ProviderProcess() {
    process_.Kill();
    const std::string said = process_.Errors();
    EXPECT_EQ(said.find("Sanitizer"), std::string::npos) << said;
  }
  ProviderProcess(const ProviderProcess&) = delete;
  ProviderProcess& operator=(const ProviderProcess&) = delete;

  const std::string& address() const noexcept { return address_; }
  std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1)));
  }
  // Of its node below /rpc.
  std::string node() const { return std::string("/rpc/") + kEcho + "/" + address_; }
  Process& process() noexcept { return process_; }

 private:
  Process process_;
  std::string address_;
};

using Providers = std::vector<std::unique_ptr<ProviderProcess>>;

inline std::vector<std::string> AddressesOf(const Providers& providers) {
  std::vector<std::string> addresses;
  for (const auto& provider : providers) addresses.push_back(provider->address());
  return addresses;
}

// The session that owns the node, as ZooKeeper itself says; 0 when the node is not there.
template <class ZooKeeper>
std::uint64_t OwnerOf(const ZooKeeper& zookeeper, const std::string& node) {
  const auto nodes = zookeeper.Ephemerals();
  const auto found = nodes.find(node);
  return found != nodes.end() ? found->second : 0;
}

// Whether the tree holds the nodes of these providers and no others, each of a session whose owner
// is connected.
template <class ZooKeeper>
bool StandAlone(const ZooKeeper& zookeeper, const Providers& providers) {
  const auto nodes = zookeeper.Ephemerals();
  const std::set<std::uint64_t> sessions = zookeeper.Sessions();
  std::size_t found = 0;
  for (const auto& [path, owner] : nodes) {
    if (path.starts_with("/rpc/") && !sessions.contains(owner)) return false;
    found += path.starts_with("/rpc/");
  }
  for (const auto& provider : providers) {
    if (!nodes.contains(provider->node())) return false;
  }
  return found == providers.size();
}

// Whether that is so now or within the time.
template <class ZooKeeper>
bool AwaitStanding(const ZooKeeper& zookeeper, const Providers& providers,
                   std::chrono::milliseconds timeout = kPatience) {
  return WaitUntil([&] { return StandAlone(zookeeper, providers); }, timeout);
}

// Looks for that long, all the time, whether the node stays its owner's.
template <class ZooKeeper>
::testing::AssertionResult StaysOwned(const ZooKeeper& zookeeper, const std::string& node,
                                      std::uint64_t owner, std::chrono::milliseconds time) {
  std::uint64_t other = owner;
  const bool lost = WaitUntil(
      [&] {
        other = OwnerOf(zookeeper, node);
        return other != owner;
      },
      time);
  if (!lost) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << node << " went from session " << std::hex << owner << " to " << other;
}

inline std::int64_t MillisecondsSince(Clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then).count();
}

}  // namespace weir::test
