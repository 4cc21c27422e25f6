#include "server/listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <chrono>
#include <utility>

#include "weir/log.h"

namespace weir {

using asio::ip::tcp;

namespace {

// While descriptors are short, this many peers are sent away every 20 ms.
constexpr int kRefusedAtOnce = 64;

}  // namespace

Listener::Listener(Reactor& reactor, const ServerOptions& options, Choose choose, Accepted accepted)
    : reactor_(reactor),
      options_(options),
      choose_(std::move(choose)),
      accepted_(std::move(accepted)),
      acceptor_(reactor.io()),
      pause_(reactor.io()),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
}

Status Listener::Open(const Address& address) {
  Status status = address.is_unix() ? OpenUnix(address) : OpenTcp(address);
  if (!status.ok()) {
    asio::error_code ignored;
    acceptor_.close(ignored);
  }
  return status;
}

Status Listener::OpenUnix(const Address& address) {
  asio::error_code error;
  acceptor_.open(UnixEndpoint(address).protocol(), error);
  if (error) {
    return Unavailable("cannot listen on " + address.ToString() + ": " + error.message());
  }
  if (Status status = Check(options_.socket); !status.ok()) return status;
  auto file =
      SocketFile::Listen(acceptor_.native_handle(), address, options_.unix_mode, options_.backlog);
  if (!file.ok()) return std::move(file).status();
  file_ = *std::move(file);
  bound_ = address;
  return {};
}

Status Listener::OpenTcp(const Address& address) {
  const std::string name = address.ToString();
  asio::error_code error;
  tcp::resolver resolver(reactor_.io());
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return InvalidArgument("cannot listen on " + name + ": host " + address.host +
                           " is not known: " + error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    const int family = endpoint.protocol().family();
    Status status = Apply(options_.socket, acceptor_.native_handle(), family);
    if (!status.ok()) return status;
    acceptor_.set_option(Acceptor::reuse_address(true), error);
  }
  if (!error && options_.v6_only && address.host.find(':') != std::string::npos) {
    acceptor_.set_option(asio::ip::v6_only(true), error);
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(options_.backlog, error);
  if (error) {
    std::string hint;
    if (error == asio::error::address_in_use) hint = "; choose another port, or 0 for any free one";
    if (error == asio::error::access_denied) hint = "; ports below 1024 need privileges";
    return Unavailable("cannot listen on " + name + ": " + error.message() + hint);
  }
  bound_ = {address.host, TcpAddress(acceptor_.local_endpoint(error)).port};
  return {};
}

void Listener::Close() {
  asio::error_code ignored;
  file_.reset();  // whoever comes now finds nothing, and not a socket that refuses
  acceptor_.close(ignored);
  pause_.cancel();
}

void Listener::Accept() {
  Reactor& owner = choose_();
  acceptor_.async_accept(owner.io(), [this, self = shared_from_this(), &owner](
                                         const asio::error_code& error, Socket socket) {
    if (!acceptor_.is_open()) return;
    const Reactor::Turn turn(reactor_);
    if (error) return OnError(error);
    accepted_(owner, std::move(socket));
    Accept();
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
