// file:///directory: the embedded registry. <directory>/<service>/<host:port> holds the weight and
// is alive while its creator holds a lock on it (node_file.h); inotify tells of changes.
//
// A dying process raises IN_CLOSE_WRITE just before the kernel gives its lock up, so a probe made
// on that event may find the lock still held: the directory is read again a little later, twice.
#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <random>
#include <system_error>
#include <utility>

#include "board.h"
#include "executor.h"
#include "file/directory_watch.h"
#include "file/file_documents.h"
#include "file/node_file.h"
#include "listener.h"
#include "node.h"
#include "schemes.h"
#include "weir/address.h"
#include "weir/log.h"

namespace weir::discovery {
namespace {

using std::chrono::milliseconds;

// When to look again after somebody closed a node for writing.
constexpr milliseconds kSecondProbes[] = {milliseconds(10), milliseconds(100)};
// A node that is held may be held by a process that is just dying: that passes. What lasts longer
// is a second living process.
constexpr milliseconds kQuickRetry{20};
constexpr int kQuickRetries = 25;
constexpr milliseconds kSlowRetry{1000};
// Whoever rewrites a node with an ordinary program truncates it first: an empty node keeps its
// weight for so long.
constexpr milliseconds kSettling{100};
// A backstop should an event ever be missed.
constexpr milliseconds kReconcile{30'000};

// One announcement of this process.
struct Announcement {
  Instance instance;
  std::uint64_t board_id = 0;
  std::unique_ptr<NodeClaim> claim;
  bool stood = false;  // at least once
  bool retrying = false;
  int failures = 0;  // in a row
};

// One service: its directory, who listens, and what this process announces there.
struct Folder {
  Folder(std::string the_path, NodeReader the_reader)
      : path(std::move(the_path)), reader(std::move(the_reader)) {}
  std::string path;
  int watch = -1;
  NodeReader reader;
  std::map<std::string, Executor::Clock::time_point> empty_since;  // by node
  Feed<ProviderList> feed;
  std::vector<std::shared_ptr<Announcement>> announcements;
};

class FileRegistry final : public Registry {
 public:
  FileRegistry(std::string url, std::string directory, std::unique_ptr<DirectoryWatch> watch)
      : url_(std::move(url)),
        directory_(std::move(directory)),
        board_(url_),
        watch_(std::move(watch)),
        documents_(directory_, executor_, *watch_) {
    executor_.Follow(watch_->descriptor(), [this] { OnEvents(); });
    executor_.Post([this] {
      WatchRoot();
      ScheduleReconcile();
    });
  }
  ~FileRegistry() override { executor_.Stop(); }

  Result<std::unique_ptr<Registration>> Register(Instance instance) override;
  Result<std::unique_ptr<Subscription>> Watch(std::string service,
                                              ProviderListener listener) override;
  Status WaitUntilRegistered(std::int64_t timeout_ms) override { return board_.Wait(timeout_ms); }
  Result<std::vector<std::string>> Services() override;
  RegistryCounters counters() const override { return counters_.Read(); }
  DocumentStore* documents() noexcept override { return &documents_; }

 private:
  class FileRegistration;

  // All below on the executor's thread.
  Folder& FolderOf(const std::string& service);
  void WatchRoot();
  bool Attach(Folder& folder);
  void OnEvents();
  void Rescan(Folder& folder);
  std::int32_t WeightOf(Folder& folder, const std::string& name, const std::string& content);
  void RescanAll();
  void RescanLater(const std::string& service, milliseconds delay);
  void Ensure(Folder& folder, const std::shared_ptr<Announcement>& announcement);
  void Retry(const std::shared_ptr<Announcement>& announcement, milliseconds delay);
  void Withdraw(const std::shared_ptr<Announcement>& announcement);
  void SetWeight(Announcement& announcement, std::int32_t weight);
  void ScheduleReconcile();

  const std::string url_;
  const std::string directory_;
  RegistrationBoard board_;
  Counters counters_;
  const std::unique_ptr<DirectoryWatch> watch_;
  int root_watch_ = -1;
  std::map<std::string, Folder> folders_;
  std::minstd_rand random_{std::random_device{}()};
  Executor executor_;
  FileDocuments documents_;
};

class FileRegistry::FileRegistration final : public Registration {
 public:
  FileRegistration(FileRegistry& registry, std::shared_ptr<Announcement> announcement)
      : registry_(registry), announcement_(std::move(announcement)) {}
  ~FileRegistration() override {
    registry_.board_.Remove(announcement_->board_id);
    registry_.executor_.Post(
        [&registry = registry_, gone = announcement_] { registry.Withdraw(gone); });
  }
  void SetWeight(std::int32_t weight) override {
    registry_.executor_.Post([&registry = registry_, changed = announcement_, weight] {
      registry.SetWeight(*changed, AnnouncedWeight(weight));
    });
  }

 private:
  FileRegistry& registry_;
  const std::shared_ptr<Announcement> announcement_;
};

Result<std::unique_ptr<Registration>> FileRegistry::Register(Instance instance) {
  if (Status status = CheckInstance(instance); !status.ok()) return status;
  instance.address = Address::Parse(instance.address)->ToString();
  auto announcement = std::make_shared<Announcement>();
  announcement->board_id = board_.Add(instance.service + " at " + instance.address);
  announcement->instance = std::move(instance);
  executor_.Post([this, announcement] {
    Folder& folder = FolderOf(announcement->instance.service);
    folder.announcements.push_back(announcement);
    Rescan(folder);
  });
  return std::unique_ptr<Registration>(
      std::make_unique<FileRegistration>(*this, std::move(announcement)));
}

Result<std::unique_ptr<Subscription>> FileRegistry::Watch(std::string service,
                                                          ProviderListener listener) {
  if (Status status = CheckService(service); !status.ok()) return status;
  auto slot = std::make_shared<ProviderSlot>(std::move(listener));
  executor_.Post([this, service, slot] {
    Folder& folder = FolderOf(service);
    folder.feed.Add(slot);
    Rescan(folder);
  });
  return std::unique_ptr<Subscription>(
      std::make_unique<SlotSubscription<ProviderList>>(slot, [this, service, slot] {
        executor_.Post([this, service, slot] { FolderOf(service).feed.Remove(slot); });
      }));
}

Result<std::vector<std::string>> FileRegistry::Services() {
  std::error_code error;
  std::vector<std::string> services;
  for (std::filesystem::directory_iterator entry(directory_, error), end; entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (CheckService(name).ok() && entry->is_directory(error)) services.push_back(std::move(name));
  }
  if (error) return Unavailable(url_ + ": cannot read the directory: " + error.message());
  std::sort(services.begin(), services.end());
  return services;
}

Folder& FileRegistry::FolderOf(const std::string& service) {
  const auto [place, fresh] = folders_.try_emplace(service, directory_ + "/" + service,
                                                   NodeReader(url_, service, counters_));
  return place->second;
}

void FileRegistry::WatchRoot() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  root_watch_ = watch_->Add(directory_);
  if (root_watch_ >= 0) return;
  LogWarning(url_ + ": cannot watch the directory: " + std::generic_category().message(errno) +
             "; looked at again every 30 s");
}

// Follows the service's directory. It is made only when this process has something to put there.
bool FileRegistry::Attach(Folder& folder) {
  if (folder.watch >= 0) return true;
  if (!folder.announcements.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder.path, error);
    if (error) {
      for (const auto& announcement : folder.announcements) {
        std::string why = "cannot create " + folder.path + ": " + error.message();
        if (board_.SetMissing(announcement->board_id, why)) LogWarning(url_ + ": " + why);
      }
      return false;
    }
  }
  folder.watch = watch_->Add(folder.path);
  if (folder.watch < 0 && errno != ENOENT) {
    LogWarning(url_ + ": cannot watch " + folder.path + ": " +
               std::generic_category().message(errno));
  }
  return folder.watch >= 0 || !folder.announcements.empty();
}

void FileRegistry::OnEvents() {
  std::map<std::string, bool> changed;  // service -> whether a writer closed
  for (const DirectoryWatch::Event& event : watch_->Read()) {
    if (event.watch < 0) {
      for (const auto& [service, folder] : folders_) changed[service] = true;
    } else if (event.watch == root_watch_) {
      if (event.ended) WatchRoot();
      if (event.ended || folders_.contains(event.name)) {
        for (const auto& [service, folder] : folders_) changed[service];
      }
    } else {
      for (auto& [service, folder] : folders_) {
        if (folder.watch != event.watch) continue;
        if (event.ended) folder.watch = -1;
        if (event.ended || !event.name.starts_with('.')) changed[service] |= event.closed_writer;
      }
    }
    documents_.OnEvent(event);
  }
  for (const auto& [service, writer_closed] : changed) {
    Rescan(FolderOf(service));
    if (!writer_closed) continue;
    for (const milliseconds delay : kSecondProbes) RescanLater(service, delay);
  }
}

void FileRegistry::RescanLater(const std::string& service, milliseconds delay) {
  executor_.PostAfter(delay, [this, service] { Rescan(FolderOf(service)); });
}

void FileRegistry::Rescan(Folder& folder) {
  auto providers = std::make_shared<std::vector<Provider>>();
  std::vector<std::string> dead;
  if (Attach(folder)) {
    for (const auto& announcement : folder.announcements) Ensure(folder, announcement);
    DIR* entries = ::opendir(folder.path.c_str());
    while (const dirent* entry = entries != nullptr ? ::readdir(entries) : nullptr) {
      const std::string name = entry->d_name;
      if (name.starts_with('.') || !folder.reader.IsProvider(name)) continue;
      const NodeState node = ProbeNode(folder.path, name);
      if (node.kind == NodeState::Kind::kDead) dead.push_back(name);
      if (node.kind != NodeState::Kind::kAlive) continue;
      providers->push_back({name, WeightOf(folder, name, node.content)});
    }
    if (entries != nullptr) ::closedir(entries);
  }
  std::sort(providers->begin(), providers->end(),
            [](const Provider& a, const Provider& b) { return a.address < b.address; });
  const auto& last = folder.feed.last();
  if (!last || **last != *providers) folder.feed.Publish(std::move(providers));
  SweepNodes(folder.path, dead);
}

std::int32_t FileRegistry::WeightOf(Folder& folder, const std::string& name,
                                    const std::string& content) {
  if (!content.empty()) {
    folder.empty_since.erase(name);
    return folder.reader.Weight(name, content);
  }
  if (folder.feed.last()) {
    for (const Provider& known : **folder.feed.last()) {
      if (known.address != name) continue;
      const auto now = Executor::Clock::now();
      const auto [since, fresh] = folder.empty_since.try_emplace(name, now);
      if (fresh) RescanLater(folder.path.substr(directory_.size() + 1), kSettling * 11 / 10);
      if (now < since->second + kSettling) return known.weight;
    }
  }
  return folder.reader.Weight(name, content);
}

void FileRegistry::RescanAll() {
  for (auto& [service, folder] : folders_) Rescan(folder);
}

void FileRegistry::Ensure(Folder& folder, const std::shared_ptr<Announcement>& announcement) {
  if (announcement->claim && announcement->claim->Stands()) return;
  announcement->claim.reset();
  const Instance& instance = announcement->instance;
  Result<std::unique_ptr<NodeClaim>> claim =
      NodeClaim::Make(folder.path, instance.address, instance.weight);
  if (claim.ok()) {
    announcement->claim = *std::move(claim);
    announcement->failures = 0;
    if (announcement->stood) {
      ++counters_.restorations;
      LogInfo(url_ + ": " + instance.address + " for " + instance.service +
              " had been removed; registered again");
    }
    announcement->stood = true;
    board_.SetStanding(announcement->board_id);
    return;
  }
  std::string why(claim.status().message());
  if (claim.status().code() == StatusCode::kAlreadyExists) {
    why = "two processes claim " + instance.address + " for " + instance.service + ": " + why +
          "; stop one of them";
  }
  board_.SetMissing(announcement->board_id, why);
  const bool passing = ++announcement->failures <= kQuickRetries;
  if (announcement->failures == kQuickRetries + 1) LogError(url_ + ": " + why);
  Retry(announcement, passing ? kQuickRetry : kSlowRetry);
}

void FileRegistry::Retry(const std::shared_ptr<Announcement>& announcement, milliseconds delay) {
  if (announcement->retrying) return;
  announcement->retrying = true;
  executor_.PostAfter(delay, [this, weak = std::weak_ptr<Announcement>(announcement)] {
    const std::shared_ptr<Announcement> pending = weak.lock();
    if (!pending) return;
    pending->retrying = false;
    Rescan(FolderOf(pending->instance.service));
  });
}

void FileRegistry::Withdraw(const std::shared_ptr<Announcement>& announcement) {
  announcement->claim.reset();
  Folder& folder = FolderOf(announcement->instance.service);
  std::erase(folder.announcements, announcement);
}

void FileRegistry::SetWeight(Announcement& announcement, std::int32_t weight) {
  announcement.instance.weight = weight;
  if (!announcement.claim) return;
  if (Status status = announcement.claim->SetWeight(weight); !status.ok()) {
    LogError(url_ + ": " + status.ToString());
  }
}

void FileRegistry::ScheduleReconcile() {
  const auto spread = std::uniform_int_distribution<int>(80, 120)(random_);
  executor_.PostAfter(kReconcile * spread / 100, [this] {
    if (root_watch_ < 0) WatchRoot();
    RescanAll();
    documents_.Reconcile();
    ScheduleReconcile();
  });
}

}  // namespace

Result<std::shared_ptr<Registry>> OpenFileRegistry(const RegistryUrl& url) {
  std::string directory = url.rest;
  while (directory.ends_with('/')) directory.pop_back();
  if (!directory.starts_with('/')) {
    return InvalidArgument("registry '" + url.text +
                           "': expected file:///directory with an absolute path");
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error || !std::filesystem::is_directory(directory, error)) {
    return FailedPrecondition("registry '" + url.text + "': cannot create directory " + directory +
                              ": " + (error ? error.message() : "something else is there") +
                              "; choose another directory or give this user access");
  }
  Result<std::unique_ptr<DirectoryWatch>> watch = DirectoryWatch::Open();
  if (!watch.ok()) return std::move(watch).status();
  return std::shared_ptr<Registry>(
      std::make_shared<FileRegistry>(url.text, std::move(directory), *std::move(watch)));
}

}  // namespace weir::discovery
