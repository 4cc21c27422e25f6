#include "in_memory_tree.h"

#include <functional>

namespace weir::kv {
namespace {

constexpr std::size_t kPage = 4096;

using Copies = std::map<const InMemoryNode*, InMemoryNodePtr>;

bool Toss(std::mt19937_64& random) {
  return random() % 2 == 0;
}

InMemoryNodePtr CopyNode(const InMemoryNode& node, Copies& copies) {
  auto& known = copies[&node];
  if (known != nullptr) return known;
  auto copy = known = std::make_shared<InMemoryNode>(node);
  copy->open_files = 0;
  copy->locked = false;
  copy->readers = 0;
  for (auto& [name, entry] : copy->entries) entry = CopyNode(*entry, copies);
  for (auto& [name, entry] : copy->entries_on_disk) entry = CopyNode(*entry, copies);
  return copy;
}

// Of the bytes from the first changed one on, a random first part reached the disk.
std::string WithPartOfTail(const InMemoryNode& file, std::mt19937_64& random) {
  std::string contents = file.on_disk;
  const std::size_t first = std::min({file.first_unsynced, file.seen.size(), contents.size()});
  const std::size_t kept = random() % (file.seen.size() - first + 1);
  contents.resize(std::max(contents.size(), first + kept));
  return contents.replace(first, kept, file.seen, first, kept);
}

// Each page that was written, and the length, reached the disk or did not.
std::string WithSomePages(const InMemoryNode& file, std::mt19937_64& random) {
  std::string contents = file.on_disk;
  const std::size_t first = std::min(file.first_unsynced, file.seen.size());
  if (Toss(random)) {
    contents.resize(file.seen.size());
  } else if (file.seen.size() > contents.size()) {
    contents.resize(contents.size() + random() % (file.seen.size() - contents.size() + 1));
  }
  for (std::size_t page = first / kPage * kPage; page < file.seen.size(); page += kPage) {
    if (page >= contents.size() || Toss(random)) continue;
    const std::size_t size = std::min({kPage, file.seen.size() - page, contents.size() - page});
    contents.replace(page, size, file.seen, page, size);
  }
  return contents;
}

InMemoryNodePtr CrashedNode(const InMemoryNode& node, Unsynced unsynced, std::mt19937_64& random,
                            Copies& copies) {
  auto& known = copies[&node];
  if (known != nullptr) return known;
  auto copy = known = std::make_shared<InMemoryNode>();
  copy->inode = node.inode;
  copy->is_directory = node.is_directory;
  const bool any = unsynced != Unsynced::kDropped;
  copy->on_disk = node.on_disk;
  if (any && !node.sync_lost && node.seen != node.on_disk) {
    copy->on_disk = unsynced == Unsynced::kReordered ? WithSomePages(node, random)
                                                     : WithPartOfTail(node, random);
  }
  copy->seen = copy->on_disk;
  // Each change of a name may or may not have reached the disk on its own.
  auto names = node.entries_on_disk;
  if (any) {
    for (const auto& [name, entry] : node.entries) {
      if (Toss(random)) names[name] = entry;
    }
    std::erase_if(names, [&](const auto& entry) {
      return !node.entries.contains(entry.first) && Toss(random);
    });
  }
  for (auto& [name, entry] : names) entry = CrashedNode(*entry, unsynced, random, copies);
  copy->entries = copy->entries_on_disk = std::move(names);
  return copy;
}

}  // namespace

void InMemoryNode::WriteBack() {
  if (sync_lost || first_unsynced == std::numeric_limits<std::size_t>::max()) return;
  const std::size_t same = std::min({first_unsynced, seen.size(), on_disk.size()});
  on_disk.resize(same);
  on_disk.append(seen, same);
  first_unsynced = std::numeric_limits<std::size_t>::max();
}

InMemoryNodePtr CopyTree(const InMemoryNode& root) {
  Copies copies;
  return CopyNode(root, copies);
}

InMemoryNodePtr CrashedTree(const InMemoryNode& root, Unsynced unsynced, std::mt19937_64& random) {
  if (unsynced == Unsynced::kKept) return CopyTree(root);
  Copies copies;
  return CrashedNode(root, unsynced, random, copies);
}

void SyncTree(InMemoryNode& root) {
  root.sync_lost = false;
  root.on_disk = root.seen;
  root.first_unsynced = std::numeric_limits<std::size_t>::max();
  root.entries_on_disk = root.entries;
  for (const auto& [name, entry] : root.entries) SyncTree(*entry);
}

}  // namespace weir::kv
