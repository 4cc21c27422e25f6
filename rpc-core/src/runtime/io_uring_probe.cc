#include "runtime/io_uring_probe.h"

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace weir {
namespace {

constexpr unsigned kEntries = 8;
constexpr int kGroup = 0;

Status Unusable(const std::string& what, int error) {
  std::string why = what + ": " + std::strerror(error);
  if (error == EPERM || error == EACCES) {
    why += " (a seccomp filter or kernel.io_uring_disabled forbids it)";
  } else if (error == ENOSYS || error == EINVAL) {
    why += " (Linux 6.0 or newer is needed)";
  }
  return Unavailable(why);
}

struct Sockets {
  int ends[2] = {-1, -1};
  ~Sockets() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
};

// Everything in it goes away with the ring, so its members are destroyed after it.
struct TrialRing {
  Sockets sockets;
  alignas(4096) char buffers[4096];
  alignas(4096) char memory[4096];
  io_uring ring{};
  bool open = false;
  ~TrialRing() {
    if (open) io_uring_queue_exit(&ring);
  }

  // Waits for a byte to be received, with more to follow.
  Status Expect() {
    __kernel_timespec timeout{.tv_sec = 1, .tv_nsec = 0};
    io_uring_cqe* done = nullptr;
    const int error = io_uring_wait_cqe_timeout(&ring, &done, &timeout);
    if (error != 0) return Unusable("io_uring completes nothing", -error);
    const int result = done->res;
    const bool more = (done->flags & IORING_CQE_F_MORE) != 0;
    io_uring_cqe_seen(&ring, done);
    if (result < 0) return Unusable("io_uring cannot receive", -result);
    return result == 1 && more ? Status() : Unusable("io_uring cannot receive", EINVAL);
  }
};

}  // namespace

const unsigned kRingFlags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CLAMP;

Status ProbeIoUring() {
  const auto trial = std::make_unique<TrialRing>();
  io_uring_params params{};
  params.flags = kRingFlags;
  if (const int error = io_uring_queue_init_params(kEntries, &trial->ring, &params); error != 0) {
    return Unusable("io_uring_setup", -error);
  }
  trial->open = true;
  auto* buffers = reinterpret_cast<io_uring_buf_ring*>(trial->buffers);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers);
  registration.ring_entries = kEntries;
  registration.bgid = kGroup;
  if (const int error = io_uring_register_buf_ring(&trial->ring, &registration, 0); error != 0) {
    return Unusable("io_uring_register of buffers", -error);
  }
  io_uring_buf_ring_init(buffers);
  for (unsigned short i = 0; i < kEntries; ++i) {
    io_uring_buf_ring_add(buffers, trial->memory + 64 * i, 64, i, io_uring_buf_ring_mask(kEntries),
                          i);
  }
  io_uring_buf_ring_advance(buffers, kEntries);
  int* ends = trial->sockets.ends;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return Unusable("socketpair", errno);
  }
  io_uring_sqe* receive = io_uring_get_sqe(&trial->ring);
  io_uring_prep_recv_multishot(receive, ends[0], nullptr, 0, 0);
  receive->flags |= IOSQE_BUFFER_SELECT;
  receive->buf_group = kGroup;
  // Twice, after the kernel has found nothing to receive: it must wait, and go on.
  if (const int submitted = io_uring_submit(&trial->ring); submitted != 1) {
    return Unusable("io_uring_enter", submitted < 0 ? -submitted : EINVAL);
  }
  for (int i = 0; i < 2; ++i) {
    if (::write(ends[1], "x", 1) != 1) return Unusable("write", errno);
    if (Status status = trial->Expect(); !status.ok()) return status;
  }
  return {};
}

}  // namespace weir
