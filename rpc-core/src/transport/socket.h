// Socket: a stream between two processes, over TCP or in the file system of one machine.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <string>

#include "weir/address.h"
#include "weir/socket_options.h"

namespace weir {

using Socket = asio::generic::stream_protocol::socket;

// Where a Unix-domain socket of that address is reached; needs is_unix().
Socket::endpoint_type UnixEndpoint(const Address& address);
// What a TCP endpoint stands for.
Address TcpAddress(const Socket::endpoint_type& endpoint);

// The other end as handlers and logs see it: "host:port" for TCP, "unix:pid=1,uid=0" (the process
// that connected) otherwise. Empty if the socket is connected no longer.
std::string PeerOf(Socket& socket);

// Sets the options of an open socket of that family (AF_INET, AF_INET6, AF_UNIX). Before it
// connects or listens: only then do the sizes of buffers count. Sockets that TCP accepts inherit
// them from the one that listens; those of AF_UNIX do not.
Status Apply(const SocketOptions& options, int descriptor, int family);
// Whether this machine takes the options.
Status Check(const SocketOptions& options);

}  // namespace weir
