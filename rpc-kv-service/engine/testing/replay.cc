#include <utility>

#include "weir/kv/testing/recording_vfs.h"

namespace weir::kv {
namespace {

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

Replay::Replay(std::vector<RecordedCall> calls, std::unique_ptr<InMemoryVfs> start)
    : calls_(std::move(calls)),
      files_(start != nullptr ? std::move(start) : std::make_unique<InMemoryVfs>()) {}
Replay::~Replay() = default;

const RecordedCall* Replay::next() const noexcept {
  return done_ < calls_.size() ? &calls_[done_] : nullptr;
}

bool Replay::Step() {
  if (done_ == calls_.size()) return false;
  const RecordedCall& call = calls_[done_++];
  if (call.result == StatusCode::kOk || call.call == Call::kSync) Do(call);
  return true;
}

void Replay::Do(const RecordedCall& call) {
  switch (call.call) {
    case Call::kCreate:
    case Call::kOpen: {
      if (call.call == Call::kCreate) files_->MakeDirectories(ParentOf(call.path));
      auto file = files_->Open(
          call.path, call.call == Call::kCreate ? OpenMode::kCreateNew : OpenMode::kReadWrite);
      if (file.ok()) open_[call.file] = *std::move(file);
      break;
    }
    case Call::kLock:
      files_->MakeDirectories(ParentOf(call.path));
      (void)files_->Lock(call.path, call.bytes);
      break;
    case Call::kCreateDirectory:
      files_->MakeDirectories(ParentOf(call.path));
      (void)files_->CreateDirectory(call.path);
      break;
    case Call::kRemoveDirectory:
      (void)files_->RemoveDirectory(call.path);
      break;
    case Call::kRename:
      (void)files_->Rename(call.path, call.other_path);
      break;
    case Call::kRemove:
      (void)files_->Remove(call.path);
      break;
    case Call::kLink:
      (void)files_->Link(call.path, call.other_path);
      break;
    case Call::kSyncDirectory:
      (void)files_->SyncDirectory(call.path);
      break;
    case Call::kInode:
      files_->SetInode(call.path, call.size);
      break;
    default:
      DoWithFile(call);
  }
}

void Replay::DoWithFile(const RecordedCall& call) {
  const auto at = open_.find(call.file);
  if (at == open_.end()) return;
  File& file = *at->second;
  switch (call.call) {
    case Call::kWrite: {
      const std::string_view bytes = call.bytes;
      (void)file.Write(call.offset, {&bytes, 1});
      break;
    }
    case Call::kSync:
      if (call.result == StatusCode::kOk) {
        (void)file.Sync();
      } else {
        InMemoryVfs::LoseUnsynced(file);
      }
      break;
    case Call::kTruncate:
      (void)file.Truncate(call.size);
      break;
    case Call::kAllocate:
      (void)file.Allocate(call.size);
      break;
    case Call::kDropCache:
      file.DropCache();
      break;
    default:
      break;
  }
}

}  // namespace weir::kv
