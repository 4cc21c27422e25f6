// Addresses of providers as they appear in registries, options and messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/status.h"

namespace weir {

// Where a provider listens: a TCP port, or a Unix-domain socket of this machine. A value.
struct Address {
  std::string host = {};   // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;  // 0 only for listening: any free one
  // Of a Unix-domain socket: an absolute path, or '@' and a name that no file stands for (abstract,
  // see unix(7)). Empty for TCP; host and port mean nothing otherwise.
  std::string path = {};

  // What the kernel has room for.
  static constexpr std::size_t kMaxPath = 107;

  bool is_unix() const noexcept { return !path.empty(); }
  // False for port 0, which stands for a port yet to be found.
  bool can_be_called() const noexcept { return is_unix() || port != 0; }

  // "host:port", with IPv6 addresses in brackets, or "unix:/path". Parse(ToString()) gives the same
  // value.
  std::string ToString() const;
  // Accepts "host:port", "[v6]:port", "unix:/path" and "unix:@name". A path is made of letters,
  // digits and the characters / . _ - + = ~ @ : and has no empty part, no "." and no ".."; so one
  // socket has one address, which fits into the lists of a registry. INVALID_ARGUMENT names what is
  // wrong.
  static Result<Address> Parse(std::string_view text);

  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace weir
