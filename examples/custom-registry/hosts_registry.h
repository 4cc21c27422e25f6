// A registry scheme of one's own: hosts://FILE, providers listed in a text file in the manner of
// /etc/hosts, read again when it changes:
//
//     greeter.Greeter  10.0.0.7:7001       # weight 100
//     greeter.Greeter  10.0.0.8:7001  300
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weir/registry.h"

class HostsRegistry final : public weir::Registry {
 public:
  // What Registries().Add wants. NOT_FOUND or INVALID_ARGUMENT name the file, and the line.
  static weir::Result<std::shared_ptr<weir::Registry>> Open(const weir::RegistryUrl& url);

  explicit HostsRegistry(std::string file) : file_(std::move(file)) {}

  weir::Result<std::unique_ptr<weir::Registration>> Register(weir::Instance instance) override;
  weir::Result<std::unique_ptr<weir::Subscription>> Watch(std::string service,
                                                          weir::ProviderListener listener) override;
  weir::Status WaitUntilRegistered(std::int64_t timeout_ms) override;
  weir::Result<std::vector<std::string>> Services() override;

 private:
  const std::string file_;
};
