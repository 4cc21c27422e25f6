// Length-prefixed frames over epoll and sockets alone: what the bare contestant is made of, and the
// client that Thrift is driven with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "rpc/contestant.h"

namespace weir::bench {

// One line on standard error, then the end of this process.
[[noreturn]] void Die(const char* what);

// A non-blocking socket: bytes in, whole frames out to `on_frame`, what that appends gathered and
// sent once per read. Length prefixes are 4 bytes, big-endian. Memory grows with what is under way.
class FramedPeer {
 public:
  using OnFrame = std::function<void(FramedPeer&, std::string_view frame)>;

  FramedPeer(int socket, int epoll, OnFrame on_frame);
  ~FramedPeer();
  FramedPeer(const FramedPeer&) = delete;
  FramedPeer& operator=(const FramedPeer&) = delete;

  void Append(std::string_view frame);
  void Write();
  // False when the connection has ended.
  bool Read();

 private:
  void Deliver();

  const int socket_;
  const OnFrame on_frame_;
  std::vector<char> in_;
  std::size_t have_ = 0;
  std::vector<char> out_;
  std::size_t written_ = 0;
};

// The same with the length prefix and nothing else around `frame`.
std::string Framed(std::string_view frame);
// Is there a whole frame?
bool HasFrame(std::string_view received);

// A client that keeps `workload.in_flight` frames under way on each connection: `on_reply` looks at
// an answer, `request` makes the next frame. Answers come in order.
Measurement DriveFramed(std::uint16_t port, const Workload& workload,
                        std::chrono::nanoseconds warm_up, std::chrono::nanoseconds time,
                        const std::function<std::string_view()>& request,
                        const std::function<void(std::string_view)>& on_reply);

// Hands out events of `epoll`, with their pointer, until `on_event` says no.
void HandOutEvents(int epoll, const std::function<bool(FramedPeer*, std::uint32_t)>& on_event);

}  // namespace weir::bench
