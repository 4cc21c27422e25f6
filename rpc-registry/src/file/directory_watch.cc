#include "file/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace weir::discovery {

Result<std::unique_ptr<DirectoryWatch>> DirectoryWatch::Open() {
  const int descriptor = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (descriptor < 0) {
    return ResourceExhausted("inotify: " + std::generic_category().message(errno) +
                             "; raise fs.inotify.max_user_instances");
  }
  return std::unique_ptr<DirectoryWatch>(new DirectoryWatch(descriptor));
}

DirectoryWatch::~DirectoryWatch() {
  ::close(descriptor_);
}

int DirectoryWatch::Add(const std::string& directory) {
  return ::inotify_add_watch(descriptor_, directory.c_str(),
                             IN_ONLYDIR | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                 IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF);
}

void DirectoryWatch::Remove(int watch) {
  ::inotify_rm_watch(descriptor_, watch);
}

std::vector<DirectoryWatch::Event> DirectoryWatch::Read() {
  std::vector<Event> events;
  alignas(inotify_event) std::array<char, 16384> buffer;
  while (true) {
    const ssize_t size = ::read(descriptor_, buffer.data(), buffer.size());
    if (size <= 0) return events;
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      at += static_cast<ssize_t>(sizeof event + event.len);
      const bool moved_away = (event.mask & IN_MOVE_SELF) != 0;
      if (moved_away) Remove(event.wd);
      events.push_back({.watch = (event.mask & IN_Q_OVERFLOW) != 0 ? -1 : event.wd,
                        .closed_writer = (event.mask & IN_CLOSE_WRITE) != 0,
                        .ended = (event.mask & IN_IGNORED) != 0,
                        .name = event.len > 0 ? std::string(name) : std::string()});
    }
  }
}

}  // namespace weir::discovery
