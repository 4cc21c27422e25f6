// Makes calls of an InMemoryVfs fail: the n-th of a kind on a path, once or from then on; writes in
// the middle; all of them at once, as when the process is killed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "weir/kv/testing/call.h"
#include "weir/kv/testing/in_memory_vfs.h"
#include "weir/kv/vfs.h"

namespace weir::kv {

// What happens to a call. A failing sync loses the data that it should have written, as on Linux.
struct Fault {
  // kInternal: EIO; kResourceExhausted: ENOSPC; kUnavailable: EMFILE
  StatusCode code = StatusCode::kInternal;
  double written = 0;  // of a failing write: the part that is written, 0..1
};

// Which calls fail.
struct FailingCall {
  std::optional<Call> call{};  // without: any that changes something
  std::string path{};          // what the path contains
  std::uint64_t nth = 0;       // of those with this kind and path, counted from Fail on
  bool from_then_on = false;   // false: only the nth
  Fault fault{};
};

// Thread-safe.
class FaultVfs final : public Vfs {
 public:
  using Unsynced = kv::Unsynced;

  // Over `files`; null: over an empty InMemoryVfs.
  explicit FaultVfs(std::shared_ptr<InMemoryVfs> files = nullptr);
  ~FaultVfs() override;

  // From now on this fails too.
  void Fail(FailingCall failing);
  // Asked before every changing call, with its number (from 0 on), kind and path; a Fault makes it
  // fail. Runs under the lock of this object: it must not call it.
  using Plan =
      std::function<const Fault*(std::uint64_t number, Call call, const std::string& path)>;
  void SetPlan(Plan plan);
  // Ends all that Fail and SetPlan have asked for.
  void Heal();
  // From changing call `number` on all of them fail: the process is dead. What a crash leaves is
  // then asked of CrashImage.
  void KillAt(std::uint64_t number);
  // Changing calls so far.
  std::uint64_t calls() const;
  // Calls so far that were made to fail, but for those of a dead process.
  std::uint64_t injected() const;

  // The files below, where no call fails.
  InMemoryVfs& files() noexcept { return *files_; }
  const InMemoryVfs& files() const noexcept { return *files_; }

  // What InMemoryVfs has under these names; no fault is set in the images.
  std::unique_ptr<FaultVfs> CrashImage(Unsynced unsynced, std::mt19937_64& random) const;
  std::unique_ptr<FaultVfs> Clone() const;
  std::string Contents(const std::string& path) const { return files_->Contents(path); }
  bool Exists(const std::string& path) const { return files_->Exists(path); }
  void SetContents(const std::string& path, std::string contents) {
    files_->SetContents(path, std::move(contents));
  }

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<Mapping>> Map(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& directory) override;
  Status CreateDirectory(const std::string& path) override;
  Status RemoveDirectory(const std::string& path) override;
  Status Remove(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Link(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::uint64_t> Inode(const std::string& path) override;
  Result<std::uint64_t> FreeSpace(const std::string& path) override;
  std::uint64_t MaxOpenFiles() override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path, std::string_view text,
                                         LockMode mode = LockMode::kExclusive) override;

 private:
  class Faults;
  class OpenFile;

  const std::shared_ptr<InMemoryVfs> files_;
  const std::shared_ptr<Faults> faults_;
};

}  // namespace weir::kv
