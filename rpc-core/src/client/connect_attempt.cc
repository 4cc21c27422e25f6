#include "client/connect_attempt.h"

#include <sys/socket.h>

#include <asio/post.hpp>
#include <string>
#include <utility>

namespace weir {

using asio::ip::tcp;

namespace {

// What a Unix-domain socket answers differs from TCP in words that few know.
std::string Reason(const asio::error_code& error, bool is_unix) {
  if (is_unix && error == asio::error::no_buffer_space) {
    return "its queue of connections is full";
  }
  if (is_unix && error.value() == ENOENT) return "no such socket; is the server running?";
  return error.message();
}

}  // namespace

ConnectAttempt::ConnectAttempt(asio::io_context& io, const SocketOptions& options, Done done)
    : resolver_(io), socket_(io), options_(options), done_(std::move(done)) {}

void ConnectAttempt::Start(const Address& address) {
  const auto begin = [self = shared_from_this()] { self->TryNext({}); };
  if (address.is_unix()) {
    endpoints_ = {UnixEndpoint(address)};
    return begin();
  }
  asio::error_code not_numeric;
  const auto numeric = asio::ip::make_address(address.host, not_numeric);
  if (!not_numeric) {
    endpoints_ = {tcp::endpoint(numeric, address.port)};
    return begin();
  }
  resolver_.async_resolve(address.host, std::to_string(address.port),
                          [self = shared_from_this()](const asio::error_code& error,
                                                      const tcp::resolver::results_type& found) {
                            for (const auto& entry : found) {
                              self->endpoints_.emplace_back(entry.endpoint());
                            }
                            self->TryNext(error);
                          });
}

void ConnectAttempt::TryNext(const asio::error_code& last) {
  if (!done_) return;
  if (next_ == endpoints_.size()) {
    const bool is_unix = !endpoints_.empty() && endpoints_.back().protocol().family() == AF_UNIX;
    return End(Unavailable(last ? Reason(last, is_unix) : "the name stands for no address"));
  }
  const Socket::endpoint_type endpoint = endpoints_[next_++];
  asio::error_code error;
  socket_.close(error);
  socket_.open(endpoint.protocol(), error);
  Status status;
  if (!error) status = Apply(options_, socket_.native_handle(), endpoint.protocol().family());
  if (error || !status.ok()) {
    // Not before Start has returned.
    asio::post(socket_.get_executor(),
               [self = shared_from_this(), error, status = std::move(status)]() mutable {
                 if (error) return self->TryNext(error);
                 self->End(std::move(status));
               });
    return;
  }
  socket_.async_connect(endpoint, [self = shared_from_this()](const asio::error_code& failed) {
    if (failed) return self->TryNext(failed);
    self->End(std::move(self->socket_));
  });
}

void ConnectAttempt::End(Result<Socket> result) {
  if (Done done = std::exchange(done_, nullptr)) done(std::move(result));
}

void ConnectAttempt::GiveUp() {
  done_ = nullptr;
  resolver_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
}

}  // namespace weir
