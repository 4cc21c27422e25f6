// weir watch: each change of a registry as one line.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "catalog.h"
#include "commands.h"
#include "stop_signals.h"
#include "text.h"

namespace weir::tool {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How often the registry's health and signals are looked at, and new services looked for.
constexpr milliseconds kGlance{50};
constexpr milliseconds kNewServices{1000};

// What the registry's threads tell the one that prints. Thread-safe.
class News {
 public:
  struct Item {
    std::string service;
    ProviderList providers;  // null: such a service is known
  };
  void Add(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    added_.notify_all();
  }
  std::deque<Item> Await(milliseconds timeout) {
    std::unique_lock lock(mutex_);
    added_.wait_for(lock, timeout, [this] { return !items_.empty(); });
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<Item> items_;
};

// "2026-11-22T04:10:03.123Z"
std::string Time(std::chrono::system_clock::time_point time) {
  const std::int64_t ms = Milliseconds(time);
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(ms % 1000));
  return text;
}

std::string Weighed(std::int32_t weight) {
  return std::to_string(weight) + (weight == 0 ? " (draining)" : "");
}

// Prints changes; knows what was printed before.
class Printer {
 public:
  explicit Printer(bool json) : json_(json) {}

  // `from_start`: what is there now was there before anybody watched.
  void Tell(const std::string& service, const ProviderList& now, bool from_start) {
    std::map<std::string, std::int32_t>& before = known_[service];
    std::map<std::string, std::int32_t> after;
    for (const Provider& provider : *now) after[provider.address] = provider.weight;
    for (const auto& [address, weight] : before) {
      if (!after.contains(address)) Line("left", service, address, "left", Json::object());
    }
    for (const auto& [address, weight] : after) {
      const auto old = before.find(address);
      if (old == before.end()) {
        const char* const event = from_start ? "present" : "came";
        Line(event, service, address, std::string(event) + ", weight " + Weighed(weight),
             {{"weight", weight}});
      } else if (old->second != weight) {
        Line("weight", service, address,
             "weight " + Weighed(old->second) + " -> " + Weighed(weight),
             {{"old_weight", old->second}, {"weight", weight}});
      }
    }
    before = std::move(after);
  }

  void TellHealth(const std::string& registry, const RegistryHealth& health) {
    if (health.connected == connected_) return;
    connected_ = health.connected;
    const auto now = std::chrono::system_clock::now();
    const std::string event = connected_ ? "back" : "lost";
    if (json_) {
      Json line = {{"time_ms", Milliseconds(now)}, {"event", event}, {"registry", registry}};
      if (!connected_) line["trouble"] = health.trouble;
      Write(JsonText(line, -1));
    } else {
      Write(Time(now) + "  registry " + registry + "  " + event +
            (connected_ ? "" : ": " + Printable(health.trouble)) + "\n");
    }
  }

 private:
  void Line(const std::string& event, const std::string& service, const std::string& address,
            const std::string& told, const Json& fields) {
    const auto now = std::chrono::system_clock::now();
    if (!json_) return Write(Time(now) + "  " + service + "  " + address + "  " + told + "\n");
    Json line = {{"time_ms", Milliseconds(now)},
                 {"event", event},
                 {"service", service},
                 {"address", address}};
    line.update(fields);
    Write(JsonText(line, -1));
  }
  static void Write(const std::string& line) {
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
  }

  const bool json_;
  bool connected_ = true;
  std::map<std::string, std::map<std::string, std::int32_t>> known_;
};

}  // namespace

int Watch(const Request& request) {
  const StopSignals stop;
  const auto opened = Catalog::Open(request.registry, request.timeout);
  if (!opened.ok()) return Fail(opened.status());
  Catalog& catalog = **opened;
  const auto start = Clock::now();
  const auto over = [&] {
    return stop.Came() || (request.duration && Clock::now() >= start + *request.duration);
  };

  std::vector<std::string> services = request.words;
  const bool all = services.empty();
  if (all) {
    auto known = catalog.Services();
    if (!known.ok()) return Fail(known.status());
    services = *std::move(known);
  }
  News news;
  const std::set<std::string> from_start(services.begin(), services.end());
  std::map<std::string, std::unique_ptr<Subscription>> watched;
  const auto follow = [&](const std::string& service) {
    if (watched.contains(service)) return Status();
    auto subscription = catalog.registry().Watch(service, [&news, service](ProviderList list) {
      news.Add({service, std::move(list)});
    });
    if (!subscription.ok()) return subscription.status();
    watched[service] = *std::move(subscription);
    return Status();
  };
  for (const std::string& service : services) {
    if (const Status status = follow(service); !status.ok()) return Fail(status);
  }
  std::atomic<bool> ended{false};
  std::thread explorer([&, all] {
    auto next = Clock::now() + kNewServices;
    while (all && !ended) {
      std::this_thread::sleep_for(kGlance);
      if (Clock::now() < next) continue;
      const auto known = catalog.Services();
      next = Clock::now() + kNewServices;
      if (!known.ok()) continue;  // the registry's health says why
      for (const std::string& service : *known) news.Add({service, nullptr});
    }
  });

  Printer printer(request.json);
  std::set<std::string> told;
  int exit_code = kOk;
  while (!over()) {
    for (const News::Item& item : news.Await(kGlance)) {
      if (item.providers == nullptr) {
        static_cast<void>(follow(item.service));  // tried again with the next look
        continue;
      }
      const bool first = told.insert(item.service).second;
      printer.Tell(item.service, item.providers, first && from_start.contains(item.service));
    }
    const bool silent = told.empty() && !services.empty();
    if (silent && Clock::now() > start + request.timeout) {
      exit_code = Fail(catalog.NoAnswer());
      break;
    }
    // Until it has said something, silence is all there is to say.
    if (!silent) printer.TellHealth(catalog.name(), catalog.registry().health());
  }
  ended = true;
  explorer.join();
  watched.clear();
  return exit_code;
}

}  // namespace weir::tool
