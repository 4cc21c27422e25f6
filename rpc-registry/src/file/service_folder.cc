#include "file/service_folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "facts.h"
#include "weir/log.h"

namespace weir::discovery {
namespace {

using std::chrono::milliseconds;
using Clock = Executor::Clock;

// A node that is held may be held by a process that is just dying: that passes. What lasts longer
// is a second living process.
constexpr milliseconds kQuickRetry{20};
constexpr int kQuickRetries = 25;
constexpr milliseconds kSlowRetry{1000};
// Whoever rewrites a node with an ordinary program truncates it first: an empty node keeps its
// weight for so long.
constexpr milliseconds kSettling{100};
// A folder that vanished as a whole was removed by somebody: its providers make it again. For so
// long nobody is told that they are gone.
constexpr milliseconds kRemaking{1000};
// At most this part of the time goes into reading a folder: 1 / (1 + kScanPause).
constexpr int kScanPause = 4;

std::string Reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

ServiceFolder::ServiceFolder(const FolderContext& context, std::string service)
    : context_(context),
      service_(std::move(service)),
      folder_(context.root, service_),
      reader_(context.url, service_, Reach::kMachine, context.counters) {}

void ServiceFolder::Listen(const std::shared_ptr<ProviderSlot>& slot) {
  // Nothing is read while nobody listens, so what was last told may be old.
  if (feed_.empty()) {
    Attach();
    Scan();
  }
  feed_.Add(slot);
}

void ServiceFolder::Announce(const std::shared_ptr<Announcement>& announcement) {
  announcements_.push_back(announcement);
  Look();
}

void ServiceFolder::Withdraw(const std::shared_ptr<Announcement>& announcement) {
  announcement->claim.reset();
  std::erase(announcements_, announcement);
}

void ServiceFolder::SetWeight(Announcement& announcement, std::int32_t weight) {
  announcement.instance.weight = weight;
  announcement.unwritten = true;
  if (announcement.claim) Look();
}

bool ServiceFolder::Concerns(const DirectoryWatch::Event& event) {
  if (event.watch < 0 || event.watch != watch_) return event.watch < 0;
  if (event.ended) watch_ = -1;
  return event.ended || !event.name.starts_with('.');
}

void ServiceFolder::LookAgain(milliseconds delay) {
  context_.executor.PostAfter(delay, [this] { Look(); });
}

void ServiceFolder::Look() {
  if (Attach()) {
    for (const auto& announcement : announcements_) Ensure(announcement);
  }
  if (feed_.empty()) return SetTrouble({});
  const auto now = Clock::now();
  if (now >= not_before_) {
    Scan();
  } else if (!scan_pending_) {
    scan_pending_ = true;
    context_.executor.PostAfter(not_before_ - now, [this] {
      scan_pending_ = false;
      Scan();
    });
  }
}

// Follows the service's directory. It is made only when this process has something to put there.
bool ServiceFolder::Attach() {
  std::error_code error;
  if (!announcements_.empty()) {
    std::filesystem::create_directories(folder_.nodes, error);
    if (error) {
      const std::string why = "cannot create " + folder_.nodes + ": " + error.message();
      bool news = false;
      for (const auto& announcement : announcements_) {
        announcement->claim.reset();
        news |= context_.board.SetMissing(announcement->board_id, why);
      }
      if (news) LogWarning(context_.url + ": " + why + "; tried again every second");
      if (error.value() == EACCES && news) ++context_.counters.refusals;
    }
  }
  // The same directory gives the same watch; another one may have taken its place.
  const int watch = context_.watch.Add(folder_.nodes);
  const int why_not = watch < 0 ? errno : 0;
  if (watch_ >= 0 && (why_not == ENOSPC || why_not == ENOMEM)) {
    LogWarning(context_.url + ": cannot watch " + folder_.nodes + ": " + Reason(why_not) +
               "; looked at every second instead");
  }
  if (watch_ >= 0 && watch != watch_) context_.watch.Remove(watch_);
  watch_ = watch;
  if (watch_ < 0 && (!announcements_.empty() || why_not != ENOENT) && !retry_pending_) {
    retry_pending_ = true;
    context_.executor.PostAfter(kSlowRetry, [this] {
      retry_pending_ = false;
      Look();
    });
  }
  return !error && (watch_ >= 0 || std::filesystem::is_directory(folder_.nodes, error));
}

void ServiceFolder::Ensure(const std::shared_ptr<Announcement>& announcement) {
  NodeClaim* const standing = announcement->claim.get();
  if (standing != nullptr && !announcement->unwritten) Adopt(*announcement, standing->Text());
  if (standing != nullptr && standing->Stands()) {
    if (announcement->unwritten) {
      const Status status = standing->SetWeight(announcement->instance.weight);
      announcement->unwritten = !status.ok();
      if (!status.ok() && ++announcement->failures == 1) {
        LogError(context_.url + ": " + std::string(status.message()));
      }
      if (status.ok()) announcement->failures = 0;
      if (!status.ok()) LookAgain(kSlowRetry);
    }
    if (!standing->HasFacts()) PutFacts(*announcement);
    return;
  }
  const Instance& instance = announcement->instance;
  if (standing != nullptr && !announcement->unwritten) {
    // An editor may have put its own file in the place of ours; lost if a reader swept it first.
    const NodeState other = ProbeNode(folder_.nodes, NodeName(instance.address));
    if (other.kind == NodeState::Kind::kDead) Adopt(*announcement, other.content);
  }
  announcement->claim.reset();
  Result<std::unique_ptr<NodeClaim>> claim =
      NodeClaim::Make(folder_, NodeName(instance.address), instance.weight, announcement->facts);
  if (claim.ok()) {
    announcement->claim = *std::move(claim);
    announcement->failures = 0;
    announcement->unwritten = false;
    if (!announcement->claim->HasFacts()) PutFacts(*announcement);
    if (announcement->stood) {
      ++context_.counters.restorations;
      LogInfo(context_.url + ": " + instance.address + " for " + service_ +
              " had been removed; registered again");
    } else if (announcement->claim->took_over()) {
      ++context_.counters.takeovers;
    }
    announcement->stood = true;
    context_.board.SetStanding(announcement->board_id);
    return;
  }
  std::string why(claim.status().message());
  if (claim.status().code() == StatusCode::kAlreadyExists) {
    why = "two processes claim " + instance.address + " for " + service_ + ": " + why +
          "; stop one of them";
  }
  context_.board.SetMissing(announcement->board_id, why);
  const bool passing = ++announcement->failures <= kQuickRetries;
  if (announcement->failures == kQuickRetries + 1) {
    LogError(context_.url + ": " + why);
    if (claim.status().code() == StatusCode::kPermissionDenied) ++context_.counters.refusals;
  }
  if (retry_pending_) return;
  retry_pending_ = true;
  context_.executor.PostAfter(passing ? kQuickRetry : kSlowRetry, [this] {
    retry_pending_ = false;
    Look();
  });
}

void ServiceFolder::Adopt(Announcement& announcement, const std::string& text) {
  const std::optional<std::int32_t> weight = ParseWeight(text);
  Instance& instance = announcement.instance;
  if (!weight || *weight == instance.weight) return;
  LogInfo(context_.url + ": the weight of " + instance.address + " for " + service_ +
          " was changed from " + std::to_string(instance.weight) + " to " +
          std::to_string(*weight) + " in its file");
  instance.weight = *weight;
}

void ServiceFolder::PutFacts(Announcement& announcement) {
  const Status status = announcement.claim->PutFacts(announcement.facts);
  if (!status.ok() && !announcement.facts_complained) {
    LogWarning(context_.url + ": " + std::string(status.message()) +
               "; consumers can do without it");
  }
  announcement.facts_complained = !status.ok();
}

void ServiceFolder::Scan() {
  const auto start = Clock::now();
  DIR* const entries = ::opendir(folder_.nodes.c_str());
  if (entries == nullptr) {
    struct stat ignored;
    const int error = errno;
    // Without the registry's directory nothing is known of the service's.
    if (error != ENOENT || ::stat(context_.root.c_str(), &ignored) != 0) return CannotRead(error);
    if (!VanishedJustNow()) Publish({});
    return;
  }
  vanished_.reset();
  std::vector<Provider> providers;
  std::vector<std::string> dead;
  int error = 0;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string file = entry->d_name;
    const std::string name = NodeAddress(file);
    if (file.starts_with('.') || !reader_.IsProvider(name)) continue;
    const NodeState node = ProbeNode(folder_.nodes, file);
    if (node.kind == NodeState::Kind::kDead) dead.push_back(file);
    if (node.kind == NodeState::Kind::kAlive) {
      Provider& provider = providers.emplace_back(Provider{.address = name});
      provider.weight = WeightOf(name, node.content);
      TakeFactsOf(file, node, provider);
    }
    if (node.kind != NodeState::Kind::kUnknown) continue;
    error = node.error;
    if (const Provider* known = Known(name)) providers.push_back(*known);
    if (unreadable_.size() < 1000 && unreadable_.insert(name).second) {
      if (error == EACCES) ++context_.counters.refusals;
      LogWarning(context_.url + ": cannot read " + folder_.nodes + "/" + file + ": " +
                 Reason(error) + "; " +
                 (error == EACCES ? "let this user read it" : "its last state stays in use"));
    }
  }
  ::closedir(entries);
  if (error == 0) unreadable_.clear();
  // Of those that went.
  if (described_.size() > 2 * providers.size() + 100) described_.clear();
  SweepNodes(folder_, dead);
  Publish(std::move(providers));
  not_before_ = Clock::now() + (Clock::now() - start) * kScanPause;
  if (error != 0 && error != EACCES) LookAgain(kSlowRetry);
}

void ServiceFolder::Publish(std::vector<Provider> providers) {
  SetTrouble({});
  std::sort(providers.begin(), providers.end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  const auto& last = feed_.last();
  if (last && **last == providers) return;
  feed_.Publish(std::make_shared<const std::vector<Provider>>(std::move(providers)));
}

// What is known stays in use.
void ServiceFolder::CannotRead(int error) {
  vanished_.reset();  // nobody knows
  SetTrouble("cannot read " + folder_.nodes + ": " + Reason(error));
  if (retry_pending_) return;
  retry_pending_ = true;
  context_.executor.PostAfter(kSlowRetry, [this] {
    retry_pending_ = false;
    Look();
  });
}

void ServiceFolder::SetTrouble(std::string trouble) {
  if (trouble == trouble_) return;
  trouble_ = std::move(trouble);
  context_.trouble_changed();
}

bool ServiceFolder::VanishedJustNow() {
  if (!feed_.last() || (*feed_.last())->empty()) return false;
  const auto now = Clock::now();
  if (!vanished_) {
    vanished_ = now;
    LookAgain(kRemaking * 11 / 10);
  }
  return now < *vanished_ + kRemaking;
}

const Provider* ServiceFolder::Known(const std::string& name) const {
  if (!feed_.last()) return nullptr;
  const std::vector<Provider>& last = **feed_.last();
  const auto place = std::lower_bound(
      last.begin(), last.end(), name,
      [](const Provider& provider, const std::string& text) { return provider.address < text; });
  return place != last.end() && place->address == name ? &*place : nullptr;
}

std::int32_t ServiceFolder::WeightOf(const std::string& name, const std::string& content) {
  if (!content.empty()) {
    empty_since_.erase(name);
    return reader_.Weight(name, content);
  }
  if (const Provider* known = Known(name)) {
    const auto now = Clock::now();
    const auto [since, fresh] = empty_since_.try_emplace(name, now);
    if (fresh) LookAgain(kSettling * 11 / 10);
    if (now < since->second + kSettling) return known->weight;
  }
  return reader_.Weight(name, content);
}

// What is written about a node stays as it is, so it is read once.
void ServiceFolder::TakeFactsOf(const std::string& file, const NodeState& node,
                                Provider& provider) {
  const auto known = described_.find(file);
  if (known != described_.end() && known->second.inode == node.inode &&
      known->second.written_ns == node.written_ns) {
    provider.zone = known->second.zone;
    provider.started_ms = known->second.started_ms;
    return;
  }
  const Facts facts = ReadNodeFacts(folder_, file);
  if (facts.empty()) return;  // not there yet, perhaps
  TakeFacts(facts, provider);
  described_.insert_or_assign(
      file, Described{node.inode, node.written_ns, provider.zone, provider.started_ms});
}

}  // namespace weir::discovery
