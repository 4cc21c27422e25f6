#include "operator.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::kv::tool {

Result<std::unique_ptr<Operator>> Operator::Open(const std::string& registry_url,
                                                 const std::string& cluster,
                                                 std::chrono::milliseconds timeout) {
  auto path = MembersPath(cluster);
  if (!path.ok()) return std::move(path).status();
  auto registry = Registries().Open(registry_url);
  if (!registry.ok()) return std::move(registry).status();
  if ((*registry)->documents() == nullptr) {
    return InvalidArgument(
        "a cluster needs a registry that keeps its member list: use zk:// or "
        "file://, not " +
        registry_url);
  }
  return std::unique_ptr<Operator>(
      new Operator(*std::move(registry), registry_url, cluster, *std::move(path), timeout));
}

Operator::Operator(std::shared_ptr<Registry> registry, std::string url, std::string cluster,
                   std::string path, std::chrono::milliseconds timeout)
    : registry_(std::move(registry)),
      url_(std::move(url)),
      cluster_(std::move(cluster)),
      path_(std::move(path)),
      timeout_(timeout),
      channel_(url_, {.timeout = timeout}),
      stub_(channel_) {}

Result<bool> Operator::Exists() {
  const auto document = registry_->documents()->Read(path_);
  if (!document.ok()) return document.status();
  return document->version >= 0;
}

Result<Operator::Versioned> Operator::Read() {
  const auto document = registry_->documents()->Read(path_);
  if (!document.ok()) return document.status();
  if (document->version < 0) {
    return FailedPrecondition("cluster " + cluster_ + " has no member list at " + url_ +
                              "; make it with: weir-kv cluster init ADDRESS...");
  }
  auto list = MemberList::Parse(document->content);
  if (!list.ok()) return std::move(list).status();
  return Versioned{*std::move(list), document->version};
}

Status Operator::Write(const MemberList& list, std::int64_t version) {
  if (Status status = list.Check(); !status.ok()) return status;
  const auto written = registry_->documents()->Write(path_, list.ToText(), version);
  if (!written.ok() && written.status().code() == StatusCode::kAborted) {
    return Aborted("somebody else changed the members of cluster " + cluster_ +
                   " at the same time; look at them with \"weir-kv cluster show\" and try again");
  }
  return written.ok() ? Status() : written.status();
}

Result<std::map<std::string, std::int32_t>> Operator::Alive() {
  std::mutex mutex;
  std::condition_variable changed;
  ProviderList known;
  const auto subscription =
      registry_->Watch(std::string(Kv::kInfo.full_name), [&](ProviderList providers) {
        const std::lock_guard lock(mutex);
        known = std::move(providers);
        changed.notify_all();
      });
  if (!subscription.ok()) return subscription.status();
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, timeout_, [&] { return known != nullptr; })) {
    return Unavailable("registry " + url_ +
                       " has not answered; check the address and that it runs");
  }
  std::map<std::string, std::int32_t> alive;
  for (const Provider& provider : *known) alive.emplace(provider.address, provider.weight);
  lock.unlock();  // the subscription's end waits for the listener
  return alive;
}

Result<StatsReply> Operator::Ask(const std::string& address) {
  auto stats = stub_.Stats({}, CallOptions().WithProvider(address).WithTimeout(timeout_));
  if (!stats.ok() && stats.status().code() == StatusCode::kUnavailable) {
    return Unavailable(address + " is not alive at " + url_ + " (" +
                       std::string(stats.status().message()) +
                       "); start weir-kv-server there with --cluster " + cluster_);
  }
  return stats;
}

Result<Member> Operator::Candidate(const std::string& address, std::int32_t weight) {
  auto stats = Ask(address);
  if (!stats.ok()) return std::move(stats).status();
  if (stats->cluster() != cluster_) {
    return FailedPrecondition(address +
                              (stats->cluster().empty()
                                   ? " belongs to no cluster"
                                   : " belongs to cluster " + stats->cluster()) +
                              "; start weir-kv-server there with --cluster " + cluster_);
  }
  if (weight == 0) {
    const auto alive = Alive();
    if (!alive.ok()) return alive.status();
    const auto found = alive->find(address);
    weight = found == alive->end() || found->second == 0 ? kDefaultWeight : found->second;
  }
  return Member{address, weight, stats->store_id()};
}

Status Operator::WaitUntilKnown(const MemberList& list) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  for (const Member& member : list.members) {
    for (;;) {
      const auto stats = Ask(member.address);
      if (!stats.ok() && stats.status().code() == StatusCode::kUnavailable) break;
      if (stats.ok() && stats->epoch() >= list.epoch) break;
      if (std::chrono::steady_clock::now() >= deadline) {
        return DeadlineExceeded("the member list is written, but " + member.address +
                                " has not taken it over yet; look with \"weir-kv stats\"");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return {};
}

}  // namespace weir::kv::tool
