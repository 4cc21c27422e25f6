// The documents of a file:// registry: <dir>/.documents/<path>, each a file whose first line holds
// its version. Replaced by rename, so readers always see a whole one; writers exclude each other by
// a lock on ".<name>.lock" beside it.
#pragma once

#include <map>
#include <string>

#include "executor.h"
#include "file/directory_watch.h"
#include "listener.h"
#include "weir/registry.h"

namespace weir::discovery {

class FileDocuments final : public DocumentStore {
 public:
  // All must outlive it; `watch` belongs to the executor's thread.
  FileDocuments(const std::string& directory, Executor& executor, DirectoryWatch& watch)
      : root_(directory + "/.documents"), executor_(executor), watch_(watch) {}

  Result<Document> Read(std::string_view path) override;
  Result<std::int64_t> Write(std::string_view path, std::string_view content,
                             std::int64_t expected_version) override;
  Result<std::unique_ptr<Subscription>> Watch(std::string_view path,
                                              DocumentListener listener) override;

  // On the executor's thread: something may have changed in the directory of this watch.
  void OnEvent(const DirectoryWatch::Event& event);
  // On the executor's thread: looks at everything again.
  void Reconcile();

 private:
  struct Followed {
    int watch = -1;
    Feed<Document> feed;
  };

  void Refresh(const std::string& path, Followed& followed);

  const std::string root_;
  Executor& executor_;
  DirectoryWatch& watch_;
  std::map<std::string, Followed> followed_;  // by path; the executor's thread only
};

}  // namespace weir::discovery
