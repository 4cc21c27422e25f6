#include "weir/kv/testing/fault_vfs.h"

#include <limits>
#include <mutex>
#include <utility>
#include <vector>

namespace weir::kv {

// Decides the fate of every call.
class FaultVfs::Faults {
 public:
  void Add(FailingCall failing) {
    const std::lock_guard lock(mutex_);
    failing_.push_back({std::move(failing), 0});
  }
  void SetPlan(Plan plan) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
  }
  void Heal() {
    const std::lock_guard lock(mutex_);
    failing_.clear();
    plan_ = nullptr;
  }
  void KillAt(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    killed_at_ = number;
  }
  std::uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::uint64_t injected() const {
    const std::lock_guard lock(mutex_);
    return injected_;
  }
  bool dead() const {
    const std::lock_guard lock(mutex_);
    return calls_ > killed_at_;
  }

  // The fault for this call, if it is to fail.
  std::optional<Fault> Begin(Call call, const std::string& path) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = calls_;
    if (Changes(call) && calls_++ >= killed_at_) return Fault{};
    std::optional<Fault> fault;
    for (auto& [failing, seen] : failing_) {
      const bool matches = failing.call ? *failing.call == call : Changes(call);
      if (!matches || path.find(failing.path) == std::string::npos) continue;
      const std::uint64_t nth = seen++;
      if (nth == failing.nth || (failing.from_then_on && nth > failing.nth)) fault = failing.fault;
    }
    if (!fault && plan_ && Changes(call)) {
      if (const Fault* planned = plan_(number, call, path)) fault = *planned;
    }
    if (fault) ++injected_;
    return fault;
  }

  Status Check(Call call, const std::string& path) {
    const auto fault = Begin(call, path);
    return fault ? Injected(*fault, call, path) : Status();
  }
  static Status Injected(const Fault& fault, Call call, const std::string& path) {
    std::string message = path;
    message.append(": ").append(ToString(call)).append(" failed: injected failure");
    return {fault.code, std::move(message)};
  }

 private:
  struct Counted {
    FailingCall failing;
    std::uint64_t seen;  // matching calls so far
  };

  mutable std::mutex mutex_;
  std::vector<Counted> failing_;
  Plan plan_;
  std::uint64_t calls_ = 0;  // that change something
  std::uint64_t injected_ = 0;
  std::uint64_t killed_at_ = std::numeric_limits<std::uint64_t>::max();
};

class FaultVfs::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<Faults> faults, std::unique_ptr<File> file, std::string path)
      : faults_(std::move(faults)), file_(std::move(file)), path_(std::move(path)) {}

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override {
    if (Status status = faults_->Check(Call::kRead, path_); !status.ok()) return status;
    return file_->Read(offset, buffer, size);
  }

  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const auto fault = faults_->Begin(Call::kWrite, path_);
    if (!fault) return file_->Write(offset, pieces);
    std::size_t total = 0;
    for (const std::string_view piece : pieces) total += piece.size();
    auto left = static_cast<std::size_t>(static_cast<double>(total) * fault->written);
    std::vector<std::string_view> written;
    for (const std::string_view piece : pieces) {
      written.push_back(piece.substr(0, left));
      left -= written.back().size();
    }
    if (Status status = file_->Write(offset, written); !status.ok()) return status;
    return Faults::Injected(*fault, Call::kWrite, path_);
  }

  Status Sync() override {
    Status status = faults_->Check(Call::kSync, path_);
    if (status.ok()) return file_->Sync();
    // A process that is dead has not called.
    if (!faults_->dead()) InMemoryVfs::LoseUnsynced(*file_);
    return status;
  }

  Status Truncate(std::uint64_t size) override {
    if (Status status = faults_->Check(Call::kTruncate, path_); !status.ok()) return status;
    return file_->Truncate(size);
  }
  Status Allocate(std::uint64_t size) override {
    if (Status status = faults_->Check(Call::kAllocate, path_); !status.ok()) return status;
    return file_->Allocate(size);
  }
  Status PrepareAppends(std::uint64_t begin, std::uint64_t end) override {
    if (Status status = faults_->Check(Call::kAllocate, path_); !status.ok()) return status;
    return file_->PrepareAppends(begin, end);
  }
  void StartWriting(std::uint64_t begin, std::uint64_t end) override {
    file_->StartWriting(begin, end);
  }
  Result<std::uint64_t> Size() override {
    if (Status status = faults_->Check(Call::kSize, path_); !status.ok()) return status;
    return file_->Size();
  }
  void DropCache() override { file_->DropCache(); }

 private:
  const std::shared_ptr<Faults> faults_;
  const std::unique_ptr<File> file_;
  const std::string path_;
};

FaultVfs::FaultVfs(std::shared_ptr<InMemoryVfs> files)
    : files_(files != nullptr ? std::move(files) : std::make_shared<InMemoryVfs>()),
      faults_(std::make_shared<Faults>()) {}
FaultVfs::~FaultVfs() = default;

void FaultVfs::Fail(FailingCall failing) {
  faults_->Add(std::move(failing));
}
void FaultVfs::SetPlan(Plan plan) {
  faults_->SetPlan(std::move(plan));
}
void FaultVfs::Heal() {
  faults_->Heal();
}
void FaultVfs::KillAt(std::uint64_t number) {
  faults_->KillAt(number);
}
std::uint64_t FaultVfs::calls() const {
  return faults_->calls();
}
std::uint64_t FaultVfs::injected() const {
  return faults_->injected();
}

std::unique_ptr<FaultVfs> FaultVfs::CrashImage(Unsynced unsynced, std::mt19937_64& random) const {
  return std::make_unique<FaultVfs>(files_->CrashImage(unsynced, random));
}
std::unique_ptr<FaultVfs> FaultVfs::Clone() const {
  return std::make_unique<FaultVfs>(files_->Clone());
}

Result<std::unique_ptr<File>> FaultVfs::Open(const std::string& path, OpenMode mode) {
  const Call call = mode == OpenMode::kCreateNew ? Call::kCreate : Call::kOpen;
  if (Status status = faults_->Check(call, path); !status.ok()) return status;
  auto file = files_->Open(path, mode);
  if (!file.ok()) return file.status();
  return std::unique_ptr<File>(std::make_unique<OpenFile>(faults_, *std::move(file), path));
}

Result<std::unique_ptr<Mapping>> FaultVfs::Map(const std::string& path) {
  if (Status status = faults_->Check(Call::kMap, path); !status.ok()) return status;
  return files_->Map(path);
}

Result<std::vector<std::string>> FaultVfs::List(const std::string& directory) {
  if (Status status = faults_->Check(Call::kList, directory); !status.ok()) return status;
  return files_->List(directory);
}

Status FaultVfs::CreateDirectory(const std::string& path) {
  if (Status status = faults_->Check(Call::kCreateDirectory, path); !status.ok()) return status;
  return files_->CreateDirectory(path);
}

Status FaultVfs::RemoveDirectory(const std::string& path) {
  if (Status status = faults_->Check(Call::kRemoveDirectory, path); !status.ok()) return status;
  return files_->RemoveDirectory(path);
}

Status FaultVfs::Remove(const std::string& path) {
  if (Status status = faults_->Check(Call::kRemove, path); !status.ok()) return status;
  return files_->Remove(path);
}

Status FaultVfs::Rename(const std::string& from, const std::string& to) {
  if (Status status = faults_->Check(Call::kRename, from); !status.ok()) return status;
  return files_->Rename(from, to);
}

Status FaultVfs::Link(const std::string& from, const std::string& to) {
  if (Status status = faults_->Check(Call::kLink, to); !status.ok()) return status;
  return files_->Link(from, to);
}

Status FaultVfs::SyncDirectory(const std::string& path) {
  if (Status status = faults_->Check(Call::kSyncDirectory, path); !status.ok()) return status;
  return files_->SyncDirectory(path);
}

Result<std::uint64_t> FaultVfs::Inode(const std::string& path) {
  if (Status status = faults_->Check(Call::kInode, path); !status.ok()) return status;
  return files_->Inode(path);
}

Result<std::uint64_t> FaultVfs::FreeSpace(const std::string& path) {
  if (Status status = faults_->Check(Call::kFreeSpace, path); !status.ok()) return status;
  return files_->FreeSpace(path);
}

std::uint64_t FaultVfs::MaxOpenFiles() {
  return files_->MaxOpenFiles();
}

Result<std::unique_ptr<FileLock>> FaultVfs::Lock(const std::string& path, std::string_view text,
                                                 LockMode mode) {
  const Call call = files_->Exists(path) ? Call::kLock : Call::kCreate;
  if (Status status = faults_->Check(call, path); !status.ok()) return status;
  return files_->Lock(path, text, mode);
}

}  // namespace weir::kv
