// file:///directory: the embedded registry. <directory>/<service>/<host:port> holds the weight and
// is alive while its creator holds a lock on it (node_file.h); inotify tells of changes.
//
// A dying process raises IN_CLOSE_WRITE just before the kernel gives its lock up, so a probe made
// on that event may find the lock still held: the directory is read again a little later, twice.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <system_error>
#include <utility>

#include "board.h"
#include "executor.h"
#include "facts.h"
#include "file/directory_watch.h"
#include "file/file_documents.h"
#include "file/operator.h"
#include "file/service_folder.h"
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
// How often a directory that is gone, or cannot be read or watched, is tried again.
constexpr milliseconds kRetry{1000};
// A backstop should an event ever be missed.
constexpr milliseconds kReconcile{30'000};

class FileRegistry final : public Registry {
 public:
  FileRegistry(std::string url, std::string directory, std::unique_ptr<DirectoryWatch> watch)
      : url_(std::move(url)),
        directory_(std::move(directory)),
        board_(url_),
        watch_(std::move(watch)),
        documents_(directory_, executor_, *watch_) {
    health_.since = Executor::Clock::now();
    executor_.Follow(watch_->descriptor(), [this] { OnEvents(); });
    executor_.Post([this] {
      LookAtRoot();
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
  RegistryHealth health() const override {
    const std::lock_guard lock(health_mutex_);
    return health_;
  }
  Result<std::vector<ProviderEntry>> Inspect(std::string_view service) override {
    return InspectFolder(url_, directory_, service);
  }
  Status Reweigh(std::string_view service, std::string_view address, std::int32_t weight) override {
    return ReweighInFolder(url_, directory_, service, address, weight);
  }
  DocumentStore* documents() noexcept override { return &documents_; }

 private:
  class FileRegistration;

  // All below on the executor's thread.
  ServiceFolder& FolderOf(const std::string& service);
  void LookAtRoot();
  void LookAtAll();
  void OnEvents();
  void UpdateHealth();
  void ScheduleReconcile();

  const std::string url_;
  const std::string directory_;
  RegistrationBoard board_;
  Counters counters_;
  const std::unique_ptr<DirectoryWatch> watch_;
  int root_watch_ = -1;
  std::string root_trouble_;
  bool root_pending_ = false;
  std::map<std::string, ServiceFolder> folders_;
  std::minstd_rand random_{std::random_device{}()};
  mutable std::mutex health_mutex_;
  RegistryHealth health_;
  Executor executor_;
  FileDocuments documents_;
};

class FileRegistry::FileRegistration final : public Registration {
 public:
  FileRegistration(FileRegistry& registry, std::shared_ptr<Announcement> announcement)
      : registry_(registry), announcement_(std::move(announcement)) {}
  ~FileRegistration() override {
    registry_.board_.Remove(announcement_->board_id);
    registry_.executor_.Post([&registry = registry_, gone = announcement_] {
      registry.FolderOf(gone->instance.service).Withdraw(gone);
    });
  }
  void SetWeight(std::int32_t weight) override {
    registry_.executor_.Post([&registry = registry_, changed = announcement_, weight] {
      registry.FolderOf(changed->instance.service).SetWeight(*changed, AnnouncedWeight(weight));
    });
  }

 private:
  FileRegistry& registry_;
  const std::shared_ptr<Announcement> announcement_;
};

Result<std::unique_ptr<Registration>> FileRegistry::Register(Instance instance) {
  if (Status status = CheckInstance(instance, Reach::kMachine); !status.ok()) return status;
  instance.address = Address::Parse(instance.address)->ToString();
  auto announcement = std::make_shared<Announcement>();
  announcement->board_id = board_.Add(instance.service + " at " + instance.address);
  announcement->facts = FactsText(WithStart(instance.facts)) + "\n";
  announcement->instance = std::move(instance);
  executor_.Post(
      [this, announcement] { FolderOf(announcement->instance.service).Announce(announcement); });
  return std::unique_ptr<Registration>(
      std::make_unique<FileRegistration>(*this, std::move(announcement)));
}

Result<std::unique_ptr<Subscription>> FileRegistry::Watch(std::string service,
                                                          ProviderListener listener) {
  if (Status status = CheckService(service); !status.ok()) return status;
  auto slot = std::make_shared<ProviderSlot>(std::move(listener));
  executor_.Post([this, service, slot] { FolderOf(service).Listen(slot); });
  return std::unique_ptr<Subscription>(
      std::make_unique<SlotSubscription<ProviderList>>(slot, [this, service, slot] {
        executor_.Post([this, service, slot] { FolderOf(service).Forget(slot); });
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

ServiceFolder& FileRegistry::FolderOf(const std::string& service) {
  const auto [place, fresh] =
      folders_.try_emplace(service,
                           FolderContext{url_, directory_, board_, counters_, *watch_, executor_,
                                         [this] { UpdateHealth(); }},
                           service);
  return place->second;
}

// Follows the registry's own directory, making it if it is gone.
void FileRegistry::LookAtRoot() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  // The same directory gives the same watch; another one may have taken its place.
  const int watch = watch_->Add(directory_);
  if (watch < 0 && !error) error = {errno, std::generic_category()};
  if (root_watch_ >= 0 && watch != root_watch_) watch_->Remove(root_watch_);
  const bool replaced = watch != root_watch_ && watch >= 0;
  root_watch_ = watch;
  // Too many watches: it can still be read, now and then.
  const bool readable = watch >= 0 || error.value() == ENOSPC || error.value() == ENOMEM;
  root_trouble_ = readable ? "" : "cannot read " + directory_ + ": " + error.message();
  if (replaced || watch < 0) LookAtAll();
  UpdateHealth();
  if (watch >= 0 || root_pending_) return;
  root_pending_ = true;
  executor_.PostAfter(kRetry, [this] {
    root_pending_ = false;
    LookAtRoot();
  });
}

void FileRegistry::LookAtAll() {
  for (auto& [service, folder] : folders_) folder.Look();
}

void FileRegistry::OnEvents() {
  bool root_ended = false;
  std::map<std::string, bool> changed;  // service -> whether a writer closed
  for (const DirectoryWatch::Event& event : watch_->Read()) {
    if (event.watch >= 0 && event.watch == root_watch_) {
      root_ended |= event.ended;
      if (folders_.contains(event.name)) changed[event.name];
    } else {
      for (auto& [service, folder] : folders_) {
        if (folder.Concerns(event)) changed[service] |= event.closed_writer;
      }
    }
    documents_.OnEvent(event);
  }
  if (root_ended) LookAtRoot();
  for (const auto& [service, writer_closed] : changed) {
    FolderOf(service).Look();
    if (!writer_closed) continue;
    for (const milliseconds delay : kSecondProbes) FolderOf(service).LookAgain(delay);
  }
}

void FileRegistry::UpdateHealth() {
  std::string trouble = root_trouble_;
  for (auto folder = folders_.begin(); trouble.empty() && folder != folders_.end(); ++folder) {
    trouble = folder->second.trouble();
  }
  const std::lock_guard lock(health_mutex_);
  if (health_.connected != trouble.empty()) {
    health_.connected = trouble.empty();
    health_.since = Executor::Clock::now();
    if (health_.connected) {
      LogInfo(url_ + ": can be read again");
    } else {
      ++counters_.disconnections;
      LogWarning(url_ + ": " + trouble + "; what is known stays in use, tried again every second");
    }
  }
  health_.trouble = std::move(trouble);
}

void FileRegistry::ScheduleReconcile() {
  const auto spread = std::uniform_int_distribution<int>(80, 120)(random_);
  executor_.PostAfter(kReconcile * spread / 100, [this] {
    LookAtRoot();
    LookAtAll();
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
