#include "weir/address.h"

#include <charconv>

namespace weir {

namespace {

constexpr std::string_view kUnix = "unix:";

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// What is wrong with the path of a Unix-domain socket; empty if nothing is.
std::string FaultOfPath(std::string_view path) {
  if (path.size() > Address::kMaxPath) {
    return "the path has " + std::to_string(path.size()) + " bytes and the system takes " +
           std::to_string(Address::kMaxPath) + "; choose a shorter one";
  }
  for (const char c : path) {
    if (!IsAlphanumeric(c) && std::string_view("/._-+=~@:").find(c) == std::string_view::npos) {
      return "a path is made of letters, digits and / . _ - + = ~ @ :";
    }
  }
  if (path.front() == '@') return path.size() > 1 ? "" : "the name behind '@' is missing";
  for (std::string_view rest = path.substr(1);;) {
    const auto slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return "a path has no empty part, no '.' and no '..'";
    }
    if (slash == std::string_view::npos) return "";
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string Address::ToString() const {
  if (is_unix()) return std::string(kUnix) + path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> Address::Parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return InvalidArgument("address '" + std::string(text) + "': " + std::string(why) +
                           "; expected host:port, [v6]:port or unix:/path");
  };
  Address address;
  // A host may be called "unix" too, but no port begins like that.
  if (text.starts_with("unix:/") || text.starts_with("unix:@")) {
    address.path = text.substr(kUnix.size());
    if (const std::string fault = FaultOfPath(address.path); !fault.empty()) return refuse(fault);
    return address;
  }
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
    const bool legal =
        IsAlphanumeric(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
    if (!legal) return refuse("the host has a character that no host has");
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return refuse("the port is not a number from 0 to 65535");
  }
  return address;
}

}  // namespace weir
