#include "transport/send.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace weir {
namespace {

constexpr int kVectorsPerWrite = 64;

}  // namespace

int SendNow(int descriptor, Outbox& outbox) noexcept {
  while (!outbox.empty()) {
    iovec vectors[kVectorsPerWrite];
    msghdr message{};
    message.msg_iov = vectors;
    message.msg_iovlen = static_cast<std::size_t>(outbox.Gather(vectors, kVectorsPerWrite));
    const ssize_t bytes = ::sendmsg(descriptor, &message, MSG_NOSIGNAL);
    if (bytes < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
    }
    outbox.Consume(static_cast<std::size_t>(bytes));
  }
  return 0;
}

}  // namespace weir
