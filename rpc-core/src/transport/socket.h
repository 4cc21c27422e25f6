// Socket: a stream between two processes, over TCP or in the file system of one machine.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <string>

#include "weir/address.h"

namespace weir {

using Socket = asio::generic::stream_protocol::socket;

// What a TCP endpoint stands for.
Address TcpAddress(const Socket::endpoint_type& endpoint);

// The other end as handlers and logs see it: "host:port" for TCP, "unix:pid=1,uid=0" (the process
// that connected) otherwise. Empty if the socket is connected no longer.
std::string PeerOf(Socket& socket);

}  // namespace weir
