#include "file/file_documents.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "node.h"

namespace weir::discovery {
namespace {

constexpr std::string_view kHeader = "weir-document ";

std::string Directory(const std::string& file) {
  return file.substr(0, file.rfind('/'));
}

std::string Base(const std::string& file) {
  return file.substr(file.rfind('/') + 1);
}

std::string Reason(int error) {
  return std::generic_category().message(error);
}

Result<Document> Load(const std::string& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    return FailedPrecondition("document " + file + " is a directory");
  }
  std::ifstream input(file, std::ios::binary);
  if (!input) {
    if (!std::filesystem::exists(file, error)) return Document{};
    return PermissionDenied("cannot read document " + file + ": " + Reason(errno));
  }
  std::string header;
  Document document;
  std::getline(input, header);
  const char* const end = header.data() + header.size();
  if (!header.starts_with(kHeader) ||
      std::from_chars(header.data() + kHeader.size(), end, document.version).ptr != end ||
      document.version < 0) {
    return DataLoss("document " + file + " does not begin with '" + std::string(kHeader) +
                    "<version>'; restore or remove it");
  }
  std::ostringstream content;
  content << input.rdbuf();
  document.content = content.str();
  return document;
}

// An exclusive lock on a file, waited for; the descriptor, or -1 with errno.
int LockFile(const std::string& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return -1;
  const auto deadline = Executor::Clock::now() + kDocumentTimeout;
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (Executor::Clock::now() >= deadline) {
      ::close(descriptor);
      errno = ETIMEDOUT;
      return -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return descriptor;
}

// Writes and syncs `file` as a whole: another name first, then rename.
bool Replace(const std::string& file, const std::string& text) {
  const std::string unfinished = Directory(file) + "/." + Base(file) + ".new";
  const int descriptor = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return false;
  bool written = true;
  for (std::string_view rest = text; written && !rest.empty();) {
    const ssize_t size = ::write(descriptor, rest.data(), rest.size());
    written = size > 0;
    if (written) rest.remove_prefix(static_cast<std::size_t>(size));
  }
  written = written && ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!written || ::rename(unfinished.c_str(), file.c_str()) != 0) return false;
  const int directory = ::open(Directory(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  if (directory >= 0) ::close(directory);
  return synced;
}

}  // namespace

Result<Document> FileDocuments::Read(std::string_view path) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  return Load(root_ + "/" + std::string(path));
}

Result<std::int64_t> FileDocuments::Write(std::string_view path, std::string_view content,
                                          std::int64_t expected_version) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  const std::string file = root_ + "/" + std::string(path);
  std::error_code error;
  std::filesystem::create_directories(Directory(file), error);
  if (error) return PermissionDenied("cannot create " + Directory(file) + ": " + error.message());
  const int lock = LockFile(Directory(file) + "/." + Base(file) + ".lock");
  if (lock < 0) return Unavailable("cannot lock document " + file + ": " + Reason(errno));
  Result<std::int64_t> outcome = [&]() -> Result<std::int64_t> {
    const Result<Document> current = Load(file);
    if (!current.ok()) return current.status();
    if (current->version != expected_version) {
      return Aborted("document " + file + " has version " + std::to_string(current->version) +
                     ", not " + std::to_string(expected_version) + "; read it again");
    }
    const std::int64_t version = expected_version + 1;
    const std::string header = std::string(kHeader) + std::to_string(version) + "\n";
    if (!Replace(file, header + std::string(content))) {
      return Unavailable("cannot write document " + file + ": " + Reason(errno));
    }
    return version;
  }();
  ::close(lock);
  return outcome;
}

Result<std::unique_ptr<Subscription>> FileDocuments::Watch(std::string_view path,
                                                           DocumentListener listener) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  const std::string key(path);
  std::error_code error;
  const std::string directory = Directory(root_ + "/" + key);
  std::filesystem::create_directories(directory, error);
  if (error) return PermissionDenied("cannot create " + directory + ": " + error.message());
  auto slot = std::make_shared<DocumentSlot>(std::move(listener));
  executor_.Post([this, key, slot] {
    Followed& followed = followed_[key];
    const bool first = followed.feed.empty();
    followed.feed.Add(slot);
    if (first) Refresh(key, followed);
  });
  return std::unique_ptr<Subscription>(
      std::make_unique<SlotSubscription<Document>>(slot, [this, key, slot] {
        executor_.Post([this, key, slot] {
          followed_[key].feed.Remove(slot);
          if (followed_[key].feed.empty()) followed_.erase(key);
        });
      }));
}

void FileDocuments::Refresh(const std::string& path, Followed& followed) {
  const std::string file = root_ + "/" + path;
  if (followed.watch < 0) {
    std::error_code ignored;
    std::filesystem::create_directories(Directory(file), ignored);
    followed.watch = watch_.Add(Directory(file));
  }
  const Result<Document> document = Load(file);
  // What cannot be read now keeps its last known state.
  if (!document.ok()) return;
  const auto& last = followed.feed.last();
  if (last && last->version == document->version && last->content == document->content) return;
  followed.feed.Publish(*document);
}

void FileDocuments::OnEvent(const DirectoryWatch::Event& event) {
  for (auto& [path, followed] : followed_) {
    if (event.watch >= 0 && event.watch != followed.watch) continue;
    if (event.ended) followed.watch = -1;
    if (event.ended || event.watch < 0 || event.name == Base(path)) Refresh(path, followed);
  }
}

void FileDocuments::Reconcile() {
  for (auto& [path, followed] : followed_) Refresh(path, followed);
}

}  // namespace weir::discovery
