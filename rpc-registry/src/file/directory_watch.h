// Changes of directories, as inotify tells them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/status.h"

namespace weir::discovery {

// A resource. Confined to one thread.
class DirectoryWatch {
 public:
  struct Event {
    int watch;           // as Add returned it; -1: events were lost, everything may have changed
    bool closed_writer;  // somebody who could write has closed the file, perhaps by dying
    bool ended;          // the directory is gone, and this watch with it
    std::string name;    // of the entry; may be empty
  };

  // RESOURCE_EXHAUSTED when the user has too many inotify instances.
  static Result<std::unique_ptr<DirectoryWatch>> Open();
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  // Follows entries coming, going and being written. The watch, or -1 with errno. The same
  // directory gives the same watch.
  int Add(const std::string& directory);
  void Remove(int watch);
  // What has happened since; does not block.
  std::vector<Event> Read();

 private:
  explicit DirectoryWatch(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace weir::discovery
