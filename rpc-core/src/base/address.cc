#include "weir/address.h"

#include <charconv>

namespace weir {

std::string Address::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::Parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return InvalidArgument("address '" + std::string(text) + "': " + std::string(why) +
                           "; expected host:port or [v6]:port");
  };
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return refuse("']' is missing");
    address.host = text.substr(1, close - 1);
    if (address.host.find(':') == std::string::npos) return refuse("no IPv6 address in brackets");
    if (!text.substr(close + 1).starts_with(':')) return refuse("the port is missing");
    port = text.substr(close + 2);
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("the port is missing");
    address.host = text.substr(0, colon);
    if (address.host.find(':') != std::string::npos) return refuse("IPv6 needs brackets");
    port = text.substr(colon + 1);
  }
  if (address.host.empty()) return refuse("the host is missing");
  for (const char c : address.host) {
    const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
    if (!legal) return refuse("the host has a character that no host has");
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return refuse("the port is not a number from 0 to 65535");
  }
  return address;
}

}  // namespace weir
