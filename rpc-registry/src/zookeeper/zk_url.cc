#include "zookeeper/zk_url.h"

#include <charconv>
#include <string_view>

#include "weir/address.h"

namespace weir::discovery {
namespace {

constexpr std::string_view kDefaultPort = ":2181";
constexpr int kMinSessionTimeoutMs = 100;
constexpr int kMaxSessionTimeoutMs = 600'000;

// The part of `text` before `separator`; `text` keeps what follows.
std::string_view Cut(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

}  // namespace

Result<ZkUrl> ZkUrl::Parse(const RegistryUrl& url) {
  const auto refuse = [&](std::string_view why) {
    return InvalidArgument("registry '" + url.text + "': " + std::string(why) +
                           "; expected zk://host:2181,host:2181/rpc");
  };
  ZkUrl parsed;
  std::string_view rest = url.rest;
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    parsed.credentials = rest.substr(0, at);
    if (parsed.credentials.find(':') == std::string::npos)
      return refuse("user:password is meant before '@'");
    rest.remove_prefix(at + 1);
  }
  std::string_view options = rest;
  rest = Cut(options, '?');
  const auto slash = rest.find('/');
  std::string_view hosts = rest.substr(0, slash);
  if (hosts.empty()) return refuse("the host is missing");
  for (bool more = true; more;) {
    more = hosts.find(',') != std::string_view::npos;
    std::string host(Cut(hosts, ','));
    if (host.find(':') == std::string::npos || host.ends_with(']')) host += kDefaultPort;
    const Result<Address> address = Address::Parse(host);
    if (!address.ok()) return refuse(address.status().message());
    if (address->port == 0) return refuse("port 0 cannot be connected to");
    parsed.hosts += (parsed.hosts.empty() ? "" : ",") + address->ToString();
  }
  if (slash == std::string_view::npos) return refuse("the path of the tree is missing");
  parsed.root = rest.substr(slash);
  for (std::string_view parts = rest.substr(slash + 1), part = Cut(parts, '/');;
       part = Cut(parts, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return refuse("the path '" + parsed.root + "' is none of a tree");
    }
    if (parts.empty()) {
      if (parsed.root.ends_with('/')) return refuse("the path must not end with '/'");
      break;
    }
  }
  while (!options.empty()) {
    std::string_view value = Cut(options, '&');
    const std::string_view key = Cut(value, '=');
    if (key != "session_timeout_ms")
      return refuse("unknown option '" + std::string(key) + "'; known: session_timeout_ms");
    int milliseconds = 0;
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    if (error != std::errc() || end != value.data() + value.size() ||
        milliseconds < kMinSessionTimeoutMs || milliseconds > kMaxSessionTimeoutMs) {
      return refuse("session_timeout_ms '" + std::string(value) +
                    "' is no number from 100 to 600000");
    }
    parsed.session_timeout = std::chrono::milliseconds(milliseconds);
  }
  parsed.text = "zk://" + parsed.hosts + parsed.root;
  return parsed;
}

}  // namespace weir::discovery
