// A registry as operators ask it: every question has an answer within a time, or an error that
// names the registry.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "weir/registry.h"

namespace weir::tool {

// INVALID_ARGUMENT for a malformed URL; never shows a password.
Status CheckRegistryUrl(const std::string& url);

// Thread-safe.
class Catalog {
 public:
  // `timeout`: for each answer. INVALID_ARGUMENT for a malformed URL or an unknown scheme.
  static Result<std::unique_ptr<Catalog>> Open(const std::string& url,
                                               std::chrono::milliseconds timeout);

  // The URL without a password.
  const std::string& name() const noexcept { return name_; }
  std::chrono::milliseconds timeout() const noexcept { return timeout_; }
  Registry& registry() noexcept { return *registry_; }

  // As Registry::Services and Reweigh.
  Result<std::vector<std::string>> Services();
  Status Reweigh(const std::string& service, const std::string& address, std::int32_t weight);
  // As Registry::Inspect; where a scheme has no such thing, what consumers are told.
  Result<std::vector<ProviderEntry>> Providers(const std::string& service);
  // NOT_FOUND, naming the known services, when this is none of them. OK where a scheme cannot tell.
  Status CheckKnown(const std::string& service);

  // The error of a registry that gave no answer in time.
  Status NoAnswer() const;

 private:
  Catalog(std::shared_ptr<Registry> registry, std::string name, std::chrono::milliseconds timeout)
      : registry_(std::move(registry)), name_(std::move(name)), timeout_(timeout) {}

  template <class T>
  T Within(std::function<T(Registry&)> question) const {
    auto answer = std::make_shared<std::promise<T>>();
    std::future<T> future = answer->get_future();
    std::thread([registry = registry_, answer, question = std::move(question)] {
      answer->set_value(question(*registry));
    }).detach();
    if (future.wait_for(timeout_) == std::future_status::ready) return future.get();
    return NoAnswer();
  }
  Result<std::vector<ProviderEntry>> Watched(const std::string& service);

  const std::shared_ptr<Registry> registry_;
  const std::string name_;
  const std::chrono::milliseconds timeout_;
};

// Ends the program at once: a question without an answer may still be under way.
[[noreturn]] void Leave(int exit_code);

}  // namespace weir::tool
