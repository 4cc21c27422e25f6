#include "weir/kv/testing/in_memory_vfs.h"

#include <mutex>
#include <set>

#include "in_memory_tree.h"

namespace weir::kv {
namespace {

using Node = InMemoryNode;
using NodePtr = InMemoryNodePtr;

constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

Status Missing(const std::string& path) {
  return NotFound(path + ": no such file or directory");
}
Status Full(const std::string& path) {
  return ResourceExhausted(path + ": no space left on device");
}

}  // namespace

struct InMemoryVfs::State {
  // A name and the directory that it is, or would be, in.
  struct Place {
    NodePtr directory;  // null: there is none
    std::string name;   // empty: the root itself
  };

  mutable std::mutex mutex;
  NodePtr root = Make(true);
  std::set<const Node*> open;  // files with open_files > 0
  std::uint64_t next_inode = 2;
  std::uint64_t capacity = kNoEnd;
  std::uint64_t open_count = 0;
  std::uint64_t max_open_files = 1024;

  NodePtr Make(bool is_directory) {
    auto node = std::make_shared<Node>();
    node->inode = root == nullptr ? 1 : next_inode++;
    node->is_directory = is_directory;
    return node;
  }

  Place PlaceOf(std::string_view path) const {
    Place place{root, ""};
    while (!path.empty()) {
      const std::size_t slash = path.find('/');
      const std::string_view name = path.substr(0, slash);
      path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
      if (name.empty() || name == ".") continue;
      place.directory = Below(place);
      if (place.directory == nullptr || !place.directory->is_directory) return {};
      place.name = name;
    }
    return place;
  }
  // What has the name, or null.
  static NodePtr Below(const Place& place) {
    if (place.directory == nullptr || place.name.empty()) return place.directory;
    const auto at = place.directory->entries.find(place.name);
    return at != place.directory->entries.end() ? at->second : nullptr;
  }
  NodePtr Find(std::string_view path) const { return Below(PlaceOf(path)); }

  std::uint64_t Used() const {
    std::set<const Node*> nodes = open;
    AddTree(*root, nodes);
    std::uint64_t bytes = 0;
    for (const Node* node : nodes) bytes += node->seen.size() - node->prepared;
    return bytes;
  }
  static void AddTree(const Node& node, std::set<const Node*>& nodes) {
    nodes.insert(&node);
    for (const auto& [name, entry] : node.entries) AddTree(*entry, nodes);
  }
  std::uint64_t Room() const {
    if (capacity == kNoEnd) return kNoEnd;
    const std::uint64_t used = Used();
    return capacity > used ? capacity - used : 0;
  }

  Status CheckOpenFiles(const std::string& path) const {
    if (open_count < max_open_files) return {};
    return Unavailable(path + ": open failed: too many open files");
  }
};

class InMemoryVfs::OpenFile final : public File {
 public:
  // state->mutex held.
  OpenFile(std::shared_ptr<State> state, NodePtr node, std::string path)
      : state_(std::move(state)), node_(std::move(node)), path_(std::move(path)) {
    ++state_->open_count;
    if (node_->open_files++ == 0) state_->open.insert(node_.get());
  }
  ~OpenFile() override {
    const std::lock_guard lock(state_->mutex);
    --state_->open_count;
    if (--node_->open_files == 0) state_->open.erase(node_.get());
  }

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override {
    const std::lock_guard lock(state_->mutex);
    if (offset >= node_->seen.size()) return std::size_t{0};
    return node_->seen.copy(buffer, size, offset);
  }

  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const std::lock_guard lock(state_->mutex);
    std::uint64_t end = offset;
    for (const std::string_view piece : pieces) end += piece.size();
    const std::uint64_t used = node_->seen.size() - node_->prepared;
    const std::uint64_t growth = end > used ? end - used : 0;
    const std::uint64_t room = growth > 0 ? state_->Room() : kNoEnd;
    const bool fits = growth <= room;
    if (!fits) end = std::max(used + room, offset);
    for (std::string_view piece : pieces) {
      piece = piece.substr(0, end - offset);
      if (piece.empty()) continue;
      if (node_->seen.size() < offset + piece.size()) {
        node_->Changed(node_->seen.size());
        node_->seen.resize(offset + piece.size());
      }
      node_->Changed(offset);
      node_->seen.replace(offset, piece.size(), piece);
      offset += piece.size();
    }
    if (end > used) node_->prepared = node_->seen.size() - end;
    return fits ? Status() : Full(path_);
  }

  Status Sync() override {
    const std::lock_guard lock(state_->mutex);
    node_->WriteBack();
    return {};
  }

  Status Truncate(std::uint64_t size) override {
    const std::lock_guard lock(state_->mutex);
    node_->Changed(std::min<std::uint64_t>(size, node_->seen.size()));
    node_->seen.resize(size);
    node_->prepared = 0;
    return {};
  }

  Status Allocate(std::uint64_t size) override {
    const std::lock_guard lock(state_->mutex);
    if (size <= node_->seen.size()) return {};
    if (size - node_->seen.size() > state_->Room()) return Full(path_);
    node_->Changed(node_->seen.size());
    node_->seen.resize(size);
    node_->prepared = 0;
    return {};
  }

  Status PrepareAppends(std::uint64_t /*begin*/, std::uint64_t end) override {
    const std::lock_guard lock(state_->mutex);
    const std::size_t size = node_->seen.size();
    if (end <= size) return {};
    node_->Changed(size);
    node_->seen.resize(end);
    node_->prepared += end - size;
    return {};
  }

  void StartWriting(std::uint64_t /*begin*/, std::uint64_t /*end*/) override {}
  Result<std::uint64_t> Size() override {
    const std::lock_guard lock(state_->mutex);
    return std::uint64_t{node_->seen.size()};
  }

  void DropCache() override {
    const std::lock_guard lock(state_->mutex);
    if (!node_->sync_lost) return;
    node_->seen = node_->on_disk;
    node_->sync_lost = false;
    node_->first_unsynced = std::numeric_limits<std::size_t>::max();
  }

  void LoseUnsynced() {
    const std::lock_guard lock(state_->mutex);
    node_->sync_lost = true;
  }

 private:
  const std::shared_ptr<State> state_;
  const NodePtr node_;
  const std::string path_;
};

class InMemoryVfs::HeldLock final : public FileLock {
 public:
  HeldLock(std::shared_ptr<State> state, NodePtr node, LockMode mode)
      : state_(std::move(state)), node_(std::move(node)), mode_(mode) {}
  ~HeldLock() override {
    const std::lock_guard lock(state_->mutex);
    if (mode_ == LockMode::kShared) {
      --node_->readers;
    } else {
      node_->locked = false;
    }
  }

 private:
  const std::shared_ptr<State> state_;
  const NodePtr node_;
  const LockMode mode_;
};

namespace {

class CopiedBytes final : public Mapping {
 public:
  explicit CopiedBytes(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const noexcept override { return bytes_; }

 private:
  const std::string bytes_;
};

}  // namespace

InMemoryVfs::InMemoryVfs() : state_(std::make_shared<State>()) {}
InMemoryVfs::~InMemoryVfs() = default;

std::unique_ptr<InMemoryVfs> InMemoryVfs::CrashImage(Unsynced unsynced,
                                                     std::mt19937_64& random) const {
  const std::lock_guard lock(state_->mutex);
  auto image = std::make_unique<InMemoryVfs>();
  image->state_->next_inode = state_->next_inode;
  image->state_->capacity = state_->capacity;
  image->state_->root = CrashedTree(*state_->root, unsynced, random);
  return image;
}

std::unique_ptr<InMemoryVfs> InMemoryVfs::Clone() const {
  const std::lock_guard lock(state_->mutex);
  auto clone = std::make_unique<InMemoryVfs>();
  clone->state_->next_inode = state_->next_inode;
  clone->state_->capacity = state_->capacity;
  clone->state_->root = CopyTree(*state_->root);
  SyncTree(*clone->state_->root);
  return clone;
}

Status InMemoryVfs::Import(Vfs& from, const std::string& directory) {
  const auto names = from.List(directory);
  if (!names.ok()) return names.status();
  MakeDirectories(directory);
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    if (from.List(path).ok()) continue;
    const auto contents = from.Map(path);
    if (!contents.ok()) return contents.status();
    SetContents(path, std::string((*contents)->bytes()));
    const auto inode = from.Inode(path);
    if (!inode.ok()) return inode.status();
    SetInode(path, *inode);
  }
  const auto inode = from.Inode(directory);
  if (!inode.ok()) return inode.status();
  SetInode(directory, *inode);
  return {};
}

std::string InMemoryVfs::Contents(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(path);
  return node != nullptr ? node->seen : std::string();
}

bool InMemoryVfs::Exists(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  return state_->Find(path) != nullptr;
}

void InMemoryVfs::SetContents(const std::string& path, std::string contents) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  if (place.directory == nullptr) return;
  auto node = State::Below(place);
  if (node == nullptr) node = state_->Make(false);
  node->seen = node->on_disk = std::move(contents);
  node->first_unsynced = std::numeric_limits<std::size_t>::max();
  node->sync_lost = false;
  place.directory->entries[place.name] = place.directory->entries_on_disk[place.name] = node;
}

void InMemoryVfs::SetInode(const std::string& path, std::uint64_t inode) {
  const std::lock_guard lock(state_->mutex);
  if (const auto node = state_->Find(path)) node->inode = inode;
}

void InMemoryVfs::MakeDirectories(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const auto place = state_->PlaceOf(path.substr(0, end));
    if (State::Below(place) != nullptr) continue;
    place.directory->entries[place.name] = place.directory->entries_on_disk[place.name] =
        state_->Make(true);
  }
}

void InMemoryVfs::SetCapacity(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->capacity = bytes;
}

std::uint64_t InMemoryVfs::used() const {
  const std::lock_guard lock(state_->mutex);
  return state_->Used();
}

void InMemoryVfs::SetMaxOpenFiles(std::uint64_t count) {
  const std::lock_guard lock(state_->mutex);
  state_->max_open_files = count;
}

std::uint64_t InMemoryVfs::open_files() const {
  const std::lock_guard lock(state_->mutex);
  return state_->open_count;
}

void InMemoryVfs::LoseUnsynced(File& file) {
  static_cast<OpenFile&>(file).LoseUnsynced();
}

Result<std::unique_ptr<File>> InMemoryVfs::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  auto node = State::Below(place);
  if (Status status = state_->CheckOpenFiles(path); !status.ok()) return status;
  if (mode == OpenMode::kCreateNew) {
    if (node != nullptr) return AlreadyExists(path + ": file exists");
    if (place.directory == nullptr) return Missing(path);
    node = place.directory->entries[place.name] = state_->Make(false);
  }
  if (node == nullptr) return Missing(path);
  if (node->is_directory) return Internal(path + ": is a directory");
  return std::unique_ptr<File>(std::make_unique<OpenFile>(state_, node, path));
}

Result<std::unique_ptr<Mapping>> InMemoryVfs::Map(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(path);
  if (node == nullptr) return Missing(path);
  if (node->is_directory) return Internal(path + ": is a directory");
  if (Status status = state_->CheckOpenFiles(path); !status.ok()) return status;
  return std::unique_ptr<Mapping>(std::make_unique<CopiedBytes>(node->seen));
}

Result<std::vector<std::string>> InMemoryVfs::List(const std::string& directory) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(directory);
  if (node == nullptr) return Missing(directory);
  if (!node->is_directory) return Internal(directory + ": not a directory");
  std::vector<std::string> names;
  for (const auto& [name, entry] : node->entries) names.push_back(name);
  return names;
}

Status InMemoryVfs::CreateDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  if (place.directory == nullptr) return Missing(path);
  if (State::Below(place) != nullptr) return AlreadyExists(path + ": file exists");
  place.directory->entries[place.name] = state_->Make(true);
  return {};
}

Status InMemoryVfs::RemoveDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  const auto node = State::Below(place);
  if (node == nullptr) return Missing(path);
  if (!node->is_directory) return Internal(path + ": not a directory");
  if (!node->entries.empty()) return Internal(path + ": directory not empty");
  place.directory->entries.erase(place.name);
  return {};
}

Status InMemoryVfs::Remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  const auto node = State::Below(place);
  if (node == nullptr) return Missing(path);
  if (node->is_directory) return Internal(path + ": is a directory");
  place.directory->entries.erase(place.name);
  return {};
}

Status InMemoryVfs::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  const auto source = state_->PlaceOf(from);
  const auto target = state_->PlaceOf(to);
  const auto node = State::Below(source);
  if (node == nullptr || target.directory == nullptr) return Missing(from);
  if (const auto old = State::Below(target);
      old != nullptr && (old->is_directory != node->is_directory || !old->entries.empty())) {
    return AlreadyExists(to + ": is not replaced by " + from);
  }
  source.directory->entries.erase(source.name);
  target.directory->entries[target.name] = node;
  return {};
}

Status InMemoryVfs::Link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(from);
  const auto target = state_->PlaceOf(to);
  if (node == nullptr || target.directory == nullptr) return Missing(from);
  if (State::Below(target) != nullptr) return AlreadyExists(to + ": file exists");
  target.directory->entries[target.name] = node;
  return {};
}

Status InMemoryVfs::SyncDirectory(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(path);
  if (node == nullptr) return Missing(path);
  node->entries_on_disk = node->entries;
  return {};
}

Result<std::uint64_t> InMemoryVfs::Inode(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->Find(path);
  if (node == nullptr) return Missing(path);
  return node->inode;
}

Result<std::uint64_t> InMemoryVfs::FreeSpace(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (state_->Find(path) == nullptr) return Missing(path);
  return std::min(state_->Room(), std::uint64_t{1} << 40);
}

std::uint64_t InMemoryVfs::MaxOpenFiles() {
  const std::lock_guard lock(state_->mutex);
  return state_->max_open_files;
}

Result<std::unique_ptr<FileLock>> InMemoryVfs::Lock(const std::string& path, std::string_view text,
                                                    LockMode mode) {
  const std::lock_guard lock(state_->mutex);
  const auto place = state_->PlaceOf(path);
  if (place.directory == nullptr) return Missing(path);
  auto node = State::Below(place);
  if (node == nullptr) node = place.directory->entries[place.name] = state_->Make(false);
  if (node->locked) return FailedPrecondition(path + ": locked by " + node->seen);
  if (mode == LockMode::kShared) {
    ++node->readers;
  } else {
    if (node->readers > 0) return FailedPrecondition(path + ": locked by a process that reads it");
    node->locked = true;
    node->seen = std::string(text);
    node->Changed(0);
  }
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(state_, node, mode));
}

}  // namespace weir::kv
