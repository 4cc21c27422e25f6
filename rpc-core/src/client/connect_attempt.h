// ConnectAttempt: one attempt to reach an address, from its name to a connected socket.
#pragma once

#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "transport/socket.h"
#include "weir/address.h"
#include "weir/status.h"

namespace weir {

// Tries what a name stands for one after the other. Belongs to one reactor; keeps itself alive.
class ConnectAttempt : public std::enable_shared_from_this<ConnectAttempt> {
 public:
  // Called once, from the reactor's loop, unless the attempt is given up before.
  using Done = std::function<void(Result<Socket>)>;

  // `options` must outlive it, until it is given up.
  ConnectAttempt(asio::io_context& io, const SocketOptions& options, Done done);

  void Start(const Address& address);
  // `done` will not be called any more.
  void GiveUp();

 private:
  void TryNext(const asio::error_code& last);
  void End(Result<Socket> result);

  asio::ip::tcp::resolver resolver_;
  Socket socket_;
  const SocketOptions& options_;
  Done done_;  // null: given up, or done
  std::vector<Socket::endpoint_type> endpoints_;
  std::size_t next_ = 0;
};

}  // namespace weir
