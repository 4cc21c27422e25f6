// What a listener was told, for tests to wait on.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "weir/log.h"
#include "weir/registry.h"

namespace weir::testing {

inline constexpr std::chrono::seconds kPatience{20};

// Collects every value; thread-safe. Must outlive the subscription it listens to.
template <class Value>
class Told {
 public:
  std::function<void(Value)> Listener() {
    return [this](Value value) {
      const std::lock_guard lock(mutex_);
      values_.push_back(std::move(value));
      changed_.notify_all();
    };
  }
  // Whether the latest value satisfies `wanted`, now or within the time.
  template <class Predicate>
  bool Wait(Predicate wanted, std::chrono::milliseconds timeout = kPatience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout,
                             [&] { return !values_.empty() && wanted(values_.back()); });
  }
  std::vector<Value> All() {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Value> values_;
};

// A watch on one service together with what it was told.
class Watched {
 public:
  Watched(Registry& registry, const std::string& service) {
    auto subscription = registry.Watch(service, told_.Listener());
    EXPECT_TRUE(subscription.ok()) << subscription.status().ToString();
    if (subscription.ok()) subscription_ = *std::move(subscription);
  }

  // Waits until the latest list is exactly this one, by addresses and weights; zone and start are
  // compared where they are given.
  ::testing::AssertionResult Becomes(const std::vector<Provider>& wanted,
                                     std::chrono::milliseconds timeout = kPatience) {
    const auto is_wanted = [&](const ProviderList& list) {
      return std::equal(list->begin(), list->end(), wanted.begin(), wanted.end(),
                        [](const Provider& is, const Provider& should) {
                          return is.address == should.address && is.weight == should.weight &&
                                 (should.zone.empty() || is.zone == should.zone) &&
                                 (should.started_ms == 0 || is.started_ms == should.started_ms);
                        });
    };
    if (told_.Wait(is_wanted, timeout)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "the lists told were " << Describe();
  }
  std::vector<ProviderList> All() { return told_.All(); }
  void Close() { subscription_.reset(); }

 private:
  std::string Describe() {
    std::string text;
    for (const ProviderList& list : told_.All()) {
      text += "[";
      for (const Provider& one : *list) {
        text += " " + one.address + "*" + std::to_string(one.weight);
        text += "@" + one.zone + " since " + std::to_string(one.started_ms);
      }
      text += " ] ";
    }
    return text.empty() ? "none" : text;
  }

  Told<ProviderList> told_;
  std::unique_ptr<Subscription> subscription_;
};

// Collects log lines while it lives.
class LogLines {
 public:
  LogLines() {
    SetLogSink([this](LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  ~LogLines() { SetLogSink({}); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  std::size_t Count(std::string_view text) {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const std::string& line : lines_) count += line.find(text) != std::string::npos;
    return count;
  }
  std::string All() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& line : lines_) all += line + "\n";
    return all;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline std::shared_ptr<Registry> OpenOrDie(const std::string& url) {
  auto registry = Registries().Open(url);
  EXPECT_TRUE(registry.ok()) << registry.status().ToString();
  return registry.ok() ? *registry : nullptr;
}

}  // namespace weir::testing
