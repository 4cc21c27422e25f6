#include "weir/kv/testing/recording_vfs.h"

#include <mutex>
#include <ostream>
#include <sstream>
#include <utility>

namespace weir::kv {

class RecordingVfs::Log {
 public:
  // Held while a changing call runs, so that the order of the record is that of the effects.
  std::unique_lock<std::mutex> Order() { return std::unique_lock(order_); }

  // Notes `call` with the outcome, which it hands on.
  template <class Outcome>
  Outcome Note(RecordedCall call, Outcome outcome) {
    call.result = CodeOf(outcome);
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    return outcome;
  }

  std::uint64_t NewFile() {
    const std::lock_guard lock(mutex_);
    return ++files_;
  }
  std::vector<RecordedCall> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  void Clear() {
    const std::lock_guard lock(mutex_);
    calls_.clear();
  }

 private:
  static StatusCode CodeOf(const Status& status) { return status.code(); }
  template <class T>
  static StatusCode CodeOf(const Result<T>& result) {
    return result.ok() ? StatusCode::kOk : result.status().code();
  }

  std::mutex order_;
  mutable std::mutex mutex_;
  std::vector<RecordedCall> calls_;
  std::uint64_t files_ = 0;
};

class RecordingVfs::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<Log> log, std::unique_ptr<File> file, std::string path,
           std::uint64_t number)
      : log_(std::move(log)), file_(std::move(file)), path_(std::move(path)), number_(number) {}

  Result<std::size_t> Read(std::uint64_t offset, char* buffer, std::size_t size) override {
    return log_->Note(About(Call::kRead, offset, size), file_->Read(offset, buffer, size));
  }
  Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const auto order = log_->Order();
    RecordedCall call = About(Call::kWrite, offset, 0);
    for (const std::string_view piece : pieces) call.bytes.append(piece);
    call.size = call.bytes.size();
    return log_->Note(std::move(call), file_->Write(offset, pieces));
  }
  Status Sync() override {
    const auto order = log_->Order();
    return log_->Note(About(Call::kSync), file_->Sync());
  }
  Status Truncate(std::uint64_t size) override {
    const auto order = log_->Order();
    return log_->Note(About(Call::kTruncate, 0, size), file_->Truncate(size));
  }
  Status Allocate(std::uint64_t size) override {
    const auto order = log_->Order();
    return log_->Note(About(Call::kAllocate, 0, size), file_->Allocate(size));
  }
  // Noted as what it does to the contents.
  Status PrepareAppends(std::uint64_t begin, std::uint64_t end) override {
    const auto order = log_->Order();
    return log_->Note(About(Call::kAllocate, 0, end), file_->PrepareAppends(begin, end));
  }
  void StartWriting(std::uint64_t begin, std::uint64_t end) override {
    file_->StartWriting(begin, end);
  }
  Result<std::uint64_t> Size() override {
    auto size = file_->Size();
    return log_->Note(About(Call::kSize, 0, size.ok() ? *size : 0), std::move(size));
  }
  void DropCache() override {
    const auto order = log_->Order();
    file_->DropCache();
    (void)log_->Note(About(Call::kDropCache), Status());
  }

 private:
  RecordedCall About(Call call, std::uint64_t offset = 0, std::uint64_t size = 0) const {
    return {.call = call, .path = path_, .file = number_, .offset = offset, .size = size};
  }

  const std::shared_ptr<Log> log_;
  const std::unique_ptr<File> file_;
  const std::string path_;
  const std::uint64_t number_;
};

RecordingVfs::RecordingVfs(std::shared_ptr<Vfs> files)
    : files_(std::move(files)), log_(std::make_shared<Log>()) {}
RecordingVfs::~RecordingVfs() = default;

std::vector<RecordedCall> RecordingVfs::calls() const {
  return log_->calls();
}
void RecordingVfs::Clear() {
  log_->Clear();
}
void RecordingVfs::Print(std::ostream& out) const {
  for (const RecordedCall& call : log_->calls()) out << call << '\n';
}

Result<std::unique_ptr<File>> RecordingVfs::Open(const std::string& path, OpenMode mode) {
  const auto order = log_->Order();
  const Call call = mode == OpenMode::kCreateNew ? Call::kCreate : Call::kOpen;
  const std::uint64_t number = log_->NewFile();
  auto file = log_->Note({.call = call, .path = path, .file = number}, files_->Open(path, mode));
  if (!file.ok()) return file.status();
  return std::unique_ptr<File>(std::make_unique<OpenFile>(log_, *std::move(file), path, number));
}

Result<std::unique_ptr<Mapping>> RecordingVfs::Map(const std::string& path) {
  return log_->Note({.call = Call::kMap, .path = path}, files_->Map(path));
}

Result<std::vector<std::string>> RecordingVfs::List(const std::string& directory) {
  return log_->Note({.call = Call::kList, .path = directory}, files_->List(directory));
}

Status RecordingVfs::CreateDirectory(const std::string& path) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kCreateDirectory, .path = path}, files_->CreateDirectory(path));
}

Status RecordingVfs::RemoveDirectory(const std::string& path) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kRemoveDirectory, .path = path}, files_->RemoveDirectory(path));
}

Status RecordingVfs::Remove(const std::string& path) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kRemove, .path = path}, files_->Remove(path));
}

Status RecordingVfs::Rename(const std::string& from, const std::string& to) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kRename, .path = from, .other_path = to},
                    files_->Rename(from, to));
}

Status RecordingVfs::Link(const std::string& from, const std::string& to) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kLink, .path = from, .other_path = to}, files_->Link(from, to));
}

Status RecordingVfs::SyncDirectory(const std::string& path) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kSyncDirectory, .path = path}, files_->SyncDirectory(path));
}

Result<std::uint64_t> RecordingVfs::Inode(const std::string& path) {
  auto inode = files_->Inode(path);
  return log_->Note({.call = Call::kInode, .path = path, .size = inode.ok() ? *inode : 0},
                    std::move(inode));
}

Result<std::uint64_t> RecordingVfs::FreeSpace(const std::string& path) {
  auto space = files_->FreeSpace(path);
  return log_->Note({.call = Call::kFreeSpace, .path = path, .size = space.ok() ? *space : 0},
                    std::move(space));
}

std::uint64_t RecordingVfs::MaxOpenFiles() {
  return files_->MaxOpenFiles();
}

Result<std::unique_ptr<FileLock>> RecordingVfs::Lock(const std::string& path, std::string_view text,
                                                     LockMode mode) {
  const auto order = log_->Order();
  return log_->Note({.call = Call::kLock, .path = path, .bytes = std::string(text)},
                    files_->Lock(path, text, mode));
}

std::string ToString(const RecordedCall& call) {
  std::ostringstream out;
  out << call;
  return out.str();
}

std::ostream& operator<<(std::ostream& out, const RecordedCall& call) {
  out << ToString(call.call) << ' ' << call.path;
  if (!call.other_path.empty()) out << " to " << call.other_path;
  switch (call.call) {
    case Call::kRead:
    case Call::kWrite:
      out << " at " << call.offset << ", " << call.size << " bytes";
      break;
    case Call::kTruncate:
    case Call::kAllocate:
      out << " to " << call.size << " bytes";
      break;
    case Call::kSize:
    case Call::kInode:
    case Call::kFreeSpace:
      out << " = " << call.size;
      break;
    default:
      break;
  }
  return out << ": " << StatusCodeName(call.result);
}

}  // namespace weir::kv
