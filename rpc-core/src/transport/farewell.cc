#include "transport/farewell.h"

#include <sys/socket.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>

#include "buffer/block.h"
#include "runtime/reactor.h"

namespace weir {
namespace {

// How long, and for how many bytes, the peer may go on talking.
constexpr std::chrono::seconds kFarewell{1};
constexpr std::size_t kFarewellBytes = 1u << 20;

class Farewell : public std::enable_shared_from_this<Farewell> {
 public:
  explicit Farewell(asio::io_context& io) : socket_(io), timer_(io) {}

  void Start(int descriptor) {
    asio::error_code error;
    socket_.assign(descriptor, error);
    if (error) {
      ::close(descriptor);
      return;
    }
    ::shutdown(descriptor, SHUT_WR);
    timer_.expires_after(kFarewell);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
      if (!stopped) self->End();
    });
    Drop();
  }

 private:
  void Drop() {
    const Ref<Block> waste = Block::Allocate(Block::kCommonSize);
    while (true) {
      const ssize_t bytes = ::read(socket_.native_handle(), waste->data(), waste->capacity());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      dropped_ += bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
      if (bytes <= 0 || dropped_ > kFarewellBytes) return End();
    }
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](const asio::error_code& error) {
                         if (!error) self->Drop();
                       });
  }
  void End() {
    timer_.cancel();
    asio::error_code ignored;
    socket_.close(ignored);
  }

  asio::posix::stream_descriptor socket_;
  asio::steady_timer timer_;
  std::size_t dropped_ = 0;
};

}  // namespace

void SayFarewell(Reactor& reactor, int descriptor) {
  if (descriptor < 0) return;
  std::make_shared<Farewell>(reactor.io())->Start(descriptor);
}

}  // namespace weir
