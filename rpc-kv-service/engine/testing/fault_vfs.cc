#include "weir/kv/testing/fault_vfs.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

namespace weir::kv {

// A file or a directory, whatever names it has.
struct FaultVfs::Node {
  std::uint64_t inode = 0;
  bool is_directory = false;
  std::string seen;        // as a program reads it
  std::string on_disk;     // as of the last sync
  bool sync_lost = false;  // a sync has failed: what it should have written is gone
  bool locked = false;
  std::uint64_t readers = 0;  // shared locks
};

struct FaultVfs::Shared {
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  mutable std::mutex mutex;
  Names names;          // by path, as a program sees them
  Names names_on_disk;  // as of the last SyncDirectory of their directory
  std::uint64_t next_inode = 1;
  std::uint64_t calls = 0;
  std::uint64_t killed_at = std::numeric_limits<std::uint64_t>::max();
  Plan plan;

  // The fault for this call, if it is to fail. mutex held.
  std::optional<Fault> Begin(Call call, const std::string& path) {
    const std::uint64_t number = calls++;
    if (number >= killed_at) return Fault{};
    if (plan) {
      if (const Fault* fault = plan(number, call, path)) return *fault;
    }
    return std::nullopt;
  }
  bool dead() const { return calls > killed_at; }

  std::shared_ptr<Node> Make(bool is_directory) {
    auto node = std::make_shared<Node>();
    node->inode = next_inode++;
    node->is_directory = is_directory;
    return node;
  }
  std::shared_ptr<Node> Find(const std::string& path) const {
    const auto at = names.find(path);
    return at != names.end() ? at->second : nullptr;
  }
};

namespace {

Status Injected(const std::string& path, const Fault& fault) {
  return {fault.code, path + ": injected failure"};
}
Status Missing(const std::string& path) {
  return NotFound(path + ": no such file or directory");
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

class FaultVfs::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<Shared> shared, std::shared_ptr<Node> node, std::string path)
      : shared_(std::move(shared)), node_(std::move(node)), path_(std::move(path)) {}

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override {
    const std::lock_guard lock(shared_->mutex);
    if (offset >= node_->seen.size()) return std::size_t{0};
    return node_->seen.copy(buffer, size, offset);
  }

  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const std::lock_guard lock(shared_->mutex);
    std::size_t total = 0;
    for (const std::string_view piece : pieces) total += piece.size();
    const auto fault = shared_->Begin(Call::kWrite, path_);
    std::size_t left = total;
    if (fault) left = static_cast<std::size_t>(static_cast<double>(total) * fault->written);
    for (std::string_view piece : pieces) {
      piece = piece.substr(0, left);
      left -= piece.size();
      if (piece.empty()) continue;
      if (node_->seen.size() < offset + piece.size()) node_->seen.resize(offset + piece.size());
      node_->seen.replace(offset, piece.size(), piece);
      offset += piece.size();
    }
    return fault ? Injected(path_, *fault) : Status();
  }

  Status Sync() override {
    const std::lock_guard lock(shared_->mutex);
    if (const auto fault = shared_->Begin(Call::kSync, path_)) {
      // A process that is dead has not called.
      if (!shared_->dead()) node_->sync_lost = true;
      return Injected(path_, *fault);
    }
    if (!node_->sync_lost) node_->on_disk = node_->seen;
    return {};
  }

  Status Truncate(std::uint64_t size) override {
    const std::lock_guard lock(shared_->mutex);
    if (const auto fault = shared_->Begin(Call::kTruncate, path_)) return Injected(path_, *fault);
    node_->seen.resize(size);
    return {};
  }

  Status Allocate(std::uint64_t size) override {
    const std::lock_guard lock(shared_->mutex);
    if (const auto fault = shared_->Begin(Call::kAllocate, path_)) return Injected(path_, *fault);
    if (node_->seen.size() < size) node_->seen.resize(size);
    return {};
  }

  Result<std::uint64_t> Size() override {
    const std::lock_guard lock(shared_->mutex);
    return std::uint64_t{node_->seen.size()};
  }

  void DropCache() override {
    const std::lock_guard lock(shared_->mutex);
    if (!node_->sync_lost) return;
    node_->seen = node_->on_disk;
    node_->sync_lost = false;
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Node> node_;
  const std::string path_;
};

class FaultVfs::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<Shared> shared, std::shared_ptr<Node> node, LockMode mode)
      : shared_(std::move(shared)), node_(std::move(node)), mode_(mode) {}
  ~HeldLock() override {
    const std::lock_guard lock(shared_->mutex);
    if (mode_ == LockMode::kShared) {
      --node_->readers;
    } else {
      node_->locked = false;
    }
  }

 private:
  const std::shared_ptr<Shared> shared_;
  const std::shared_ptr<Node> node_;
  const LockMode mode_;
};

class FaultVfs::CopiedMapping final : public Mapping {
 public:
  explicit CopiedMapping(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const noexcept override { return bytes_; }

 private:
  const std::string bytes_;
};

FaultVfs::FaultVfs() : shared_(std::make_shared<Shared>()) {
  for (const char* path : {"/", "."}) {
    shared_->names[path] = shared_->names_on_disk[path] = shared_->Make(true);
  }
}
FaultVfs::~FaultVfs() = default;

void FaultVfs::SetPlan(Plan plan) {
  const std::lock_guard lock(shared_->mutex);
  shared_->plan = std::move(plan);
}
void FaultVfs::KillAt(std::uint64_t number) {
  const std::lock_guard lock(shared_->mutex);
  shared_->killed_at = number;
}
std::uint64_t FaultVfs::calls() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->calls;
}

std::unique_ptr<FaultVfs> FaultVfs::CrashImage(Unsynced unsynced, std::mt19937_64& random) const {
  const std::lock_guard lock(shared_->mutex);
  if (unsynced == Unsynced::kKept) return Copy();
  auto image = std::make_unique<FaultVfs>();
  Shared& target = *image->shared_;
  target.next_inode = shared_->next_inode;
  Shared::Names names = shared_->names_on_disk;
  if (unsynced == Unsynced::kPartlyKept) {
    // Each change of a name may or may not have reached the disk on its own.
    for (const auto& [path, node] : shared_->names) {
      if (random() % 2 == 0) names[path] = node;
    }
    std::erase_if(names, [&](const auto& name) {
      return !shared_->names.contains(name.first) && random() % 2 == 0;
    });
  }
  std::erase_if(names, [&](const auto& name) { return !names.contains(ParentOf(name.first)); });
  for (const auto& [path, node] : names) {
    auto copy = std::make_shared<Node>(*node);
    copy->locked = false;
    copy->readers = 0;
    copy->sync_lost = false;
    if (unsynced == Unsynced::kPartlyKept && node->seen.size() > node->on_disk.size() &&
        !node->sync_lost) {
      const std::size_t tail = node->seen.size() - node->on_disk.size();
      copy->on_disk.append(node->seen, node->on_disk.size(), random() % (tail + 1));
    }
    copy->seen = copy->on_disk;
    target.names[path] = target.names_on_disk[path] = std::move(copy);
  }
  return image;
}

// What is seen and what is on disk, each as it is.
std::unique_ptr<FaultVfs> FaultVfs::Copy() const {
  auto image = std::make_unique<FaultVfs>();
  Shared& target = *image->shared_;
  target.next_inode = shared_->next_inode;
  std::map<const Node*, std::shared_ptr<Node>> copies;
  const auto copy_of = [&](const std::shared_ptr<Node>& node) {
    auto& copy = copies[node.get()];
    if (copy == nullptr) {
      copy = std::make_shared<Node>(*node);
      copy->locked = false;
      copy->readers = 0;
    }
    return copy;
  };
  target.names.clear();
  target.names_on_disk.clear();
  for (const auto& [path, node] : shared_->names) target.names[path] = copy_of(node);
  for (const auto& [path, node] : shared_->names_on_disk) {
    target.names_on_disk[path] = copy_of(node);
  }
  return image;
}

std::unique_ptr<FaultVfs> FaultVfs::Clone() const {
  const std::lock_guard lock(shared_->mutex);
  auto clone = Copy();
  Shared& target = *clone->shared_;
  target.names_on_disk = target.names;
  for (const auto& [path, node] : target.names) {
    node->on_disk = node->seen;
    node->sync_lost = false;
  }
  return clone;
}

std::string FaultVfs::Contents(const std::string& path) const {
  const std::lock_guard lock(shared_->mutex);
  const auto node = shared_->Find(path);
  return node != nullptr ? node->seen : std::string();
}

bool FaultVfs::Exists(const std::string& path) const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->names.contains(path);
}

void FaultVfs::SetContents(const std::string& path, std::string contents) {
  const std::lock_guard lock(shared_->mutex);
  auto node = shared_->Find(path);
  if (node == nullptr) node = shared_->Make(false);
  node->seen = node->on_disk = std::move(contents);
  shared_->names[path] = shared_->names_on_disk[path] = node;
}

Result<std::unique_ptr<File>> FaultVfs::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(shared_->mutex);
  auto node = shared_->Find(path);
  if (mode == OpenMode::kCreateNew) {
    if (node != nullptr) return AlreadyExists(path + ": file exists");
    if (shared_->Find(ParentOf(path)) == nullptr) return Missing(path);
    if (const auto fault = shared_->Begin(Call::kCreate, path)) return Injected(path, *fault);
    node = shared_->Make(false);
    shared_->names[path] = node;
  }
  if (node == nullptr) return Missing(path);
  if (node->is_directory) return Internal(path + ": is a directory");
  return std::unique_ptr<File>(std::make_unique<OpenFile>(shared_, node, path));
}

Result<std::unique_ptr<Mapping>> FaultVfs::Map(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  const auto node = shared_->Find(path);
  if (node == nullptr) return Missing(path);
  if (node->is_directory) return Internal(path + ": is a directory");
  return std::unique_ptr<Mapping>(std::make_unique<CopiedMapping>(node->seen));
}

Result<std::vector<std::string>> FaultVfs::List(const std::string& directory) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(directory) == nullptr) return Missing(directory);
  std::vector<std::string> children;
  for (const auto& [path, node] : shared_->names) {
    if (path != directory && ParentOf(path) == directory) {
      children.push_back(path.substr(path.rfind('/') + 1));
    }
  }
  return children;
}

Status FaultVfs::CreateDirectory(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(path) != nullptr) return AlreadyExists(path + ": file exists");
  if (shared_->Find(ParentOf(path)) == nullptr) return Missing(path);
  if (const auto fault = shared_->Begin(Call::kCreateDirectory, path)) {
    return Injected(path, *fault);
  }
  shared_->names[path] = shared_->Make(true);
  return {};
}

Status FaultVfs::RemoveDirectory(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(path) == nullptr) return Missing(path);
  for (const auto& [name, node] : shared_->names) {
    if (ParentOf(name) == path) return Internal(path + ": directory not empty");
  }
  if (const auto fault = shared_->Begin(Call::kRemove, path)) return Injected(path, *fault);
  shared_->names.erase(path);
  return {};
}

Status FaultVfs::Remove(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(path) == nullptr) return Missing(path);
  if (const auto fault = shared_->Begin(Call::kRemove, path)) return Injected(path, *fault);
  shared_->names.erase(path);
  return {};
}

Status FaultVfs::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(from) == nullptr) return Missing(from);
  if (const auto fault = shared_->Begin(Call::kRename, from)) return Injected(from, *fault);
  auto moved = shared_->names.extract(from);
  shared_->names.insert_or_assign(to, std::move(moved.mapped()));
  return {};
}

Status FaultVfs::Link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(shared_->mutex);
  const auto node = shared_->Find(from);
  if (node == nullptr || shared_->Find(ParentOf(to)) == nullptr) return Missing(from);
  if (shared_->Find(to) != nullptr) return AlreadyExists(to + ": file exists");
  if (const auto fault = shared_->Begin(Call::kLink, to)) return Injected(to, *fault);
  shared_->names[to] = node;
  return {};
}

Status FaultVfs::SyncDirectory(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(path) == nullptr) return Missing(path);
  if (const auto fault = shared_->Begin(Call::kSyncDirectory, path)) return Injected(path, *fault);
  std::erase_if(shared_->names_on_disk,
                [&](const auto& name) { return ParentOf(name.first) == path; });
  for (const auto& [name, node] : shared_->names) {
    if (ParentOf(name) == path) shared_->names_on_disk[name] = node;
  }
  return {};
}

Result<std::uint64_t> FaultVfs::Inode(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  const auto node = shared_->Find(path);
  if (node == nullptr) return Missing(path);
  return node->inode;
}

Result<std::uint64_t> FaultVfs::FreeSpace(const std::string& path) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->Find(path) == nullptr) return Missing(path);
  return std::uint64_t{1} << 40;
}

std::uint64_t FaultVfs::MaxOpenFiles() {
  return 1024;
}

Result<std::unique_ptr<FileLock>> FaultVfs::Lock(const std::string& path, std::string_view text,
                                                 LockMode mode) {
  const std::lock_guard lock(shared_->mutex);
  auto node = shared_->Find(path);
  if (node == nullptr) {
    if (shared_->Find(ParentOf(path)) == nullptr) return Missing(path);
    if (const auto fault = shared_->Begin(Call::kCreate, path)) return Injected(path, *fault);
    node = shared_->Make(false);
    shared_->names[path] = node;
  }
  if (node->locked) return FailedPrecondition(path + ": locked by " + node->seen);
  if (mode == LockMode::kShared) {
    ++node->readers;
  } else {
    if (node->readers > 0) return FailedPrecondition(path + ": locked by a process that reads it");
    node->locked = true;
    node->seen = std::string(text);
  }
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(shared_, node, mode));
}

}  // namespace weir::kv
