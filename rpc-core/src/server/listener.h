// Listener: accepts from a listening socket; what it does when descriptors run out.
#pragma once

#include <asio/basic_socket_acceptor.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "runtime/reactor.h"
#include "server/listening_socket.h"
#include "server/socket_file.h"
#include "transport/socket.h"
#include "weir/address.h"

namespace weir {

// Lives on one reactor. Accepts until closed; at the limit of descriptors it accepts and closes
// with a spare one, so that connecting peers learn at once and the loop does not spin.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  // Chooses the reactor of the next connection.
  using Choose = std::function<Reactor&()>;
  // Called on the listener's reactor with a socket that belongs to the chosen one.
  using Accepted = std::function<void(Reactor&, Socket)>;

  // Not yet accepting. The socket may be open in other processes, too.
  Listener(Reactor& reactor, ListeningSocket socket, Choose choose, Accepted accepted);
  ~Listener();

  const Address& address() const noexcept { return bound_; }  // with the real port
  // On the reactor. After Close only what was accepted before it is still handed over; what is
  // under way keeps the listener.
  void Start() { Accept(); }
  void Close();

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

  void Accept();
  void OnError(const asio::error_code& error);

  Reactor& reactor_;
  Choose choose_;
  Accepted accepted_;
  Acceptor acceptor_;
  asio::steady_timer pause_;
  Address bound_;
  std::unique_ptr<SocketFile> file_;  // while a Unix-domain socket is open
  int spare_ = -1;
};

}  // namespace weir
