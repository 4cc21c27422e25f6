// Addresses of providers as they appear in registries, options and messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/status.h"

namespace weir {

// A TCP address. A value.
struct Address {
  std::string host;        // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;  // 0 only for listening: any free port

  // "host:port", with IPv6 addresses in brackets. Parse(ToString()) gives the same value.
  std::string ToString() const;
  // Accepts "host:port" and "[v6]:port". INVALID_ARGUMENT names what is wrong.
  static Result<Address> Parse(std::string_view text);

  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace weir
