#include "server/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "weir/log.h"

namespace weir {

namespace {

// While descriptors are short, this many peers are sent away every 20 ms.
constexpr int kRefusedAtOnce = 64;

}  // namespace

Listener::Listener(Reactor& reactor, ListeningSocket socket, Choose choose, Accepted accepted)
    : reactor_(reactor),
      choose_(std::move(choose)),
      accepted_(std::move(accepted)),
      acceptor_(reactor.io()),
      pause_(reactor.io()),
      bound_(socket.address()),
      file_(socket.ReleaseFile()),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  const asio::generic::stream_protocol protocol(socket.family(), 0);
  asio::error_code ignored;
  acceptor_.assign(protocol, socket.ReleaseDescriptor(), ignored);
}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
}

void Listener::Close() {
  file_.reset();  // whoever comes now finds nothing, and not a socket that refuses
  if (acceptor_.is_open()) {
    // Taken out of the event loop before it is closed: if another process has it open, too, the
    // kernel would go on reporting its events here.
    asio::error_code error;
    const int descriptor = acceptor_.release(error);
    if (!error) ::close(descriptor);
  }
  pause_.cancel();
}

void Listener::Accept() {
  Reactor& owner = choose_();
  acceptor_.async_accept(owner.io(), [this, self = shared_from_this(), &owner](
                                         const asio::error_code& error, Socket socket) {
    const Reactor::Turn turn(reactor_);
    if (error) return OnError(error);
    accepted_(owner, std::move(socket));
    if (acceptor_.is_open()) Accept();
  });
}

void Listener::OnError(const asio::error_code& error) {
  if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
  if (error == asio::error::no_descriptors || error.value() == ENFILE) {
    LogWarning("no descriptor is left for a connection to " + bound_.ToString() +
               "; raise RLIMIT_NOFILE or lower max_connections");
    if (spare_ >= 0) ::close(spare_);
    for (int i = 0; i < kRefusedAtOnce; ++i) {
      const int refused = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
      if (refused < 0) break;
      ::close(refused);
    }
    spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    // Others may free a descriptor meanwhile; without the pause this would spin.
    pause_.expires_after(std::chrono::milliseconds(20));
    pause_.async_wait([this, self = shared_from_this()](const asio::error_code& stopped) {
      if (!stopped && acceptor_.is_open()) Accept();
    });
    return;
  }
  Accept();  // the peer went away before it was accepted
}

}  // namespace weir
