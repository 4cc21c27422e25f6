// Clients and servers in a simulation under a fake clock, for the strategies that learn: the
// production picks over the production endpoints, with the same result for the same seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "loadbalance/fleet.h"

namespace weir {

inline constexpr std::int64_t kMs = 1'000'000;
inline constexpr std::int64_t kSecond = 1000 * kMs;

class SmallWorld {
 public:
  // A server works on `slots` calls at once, first come first served. May be changed while the
  // simulation runs, between two calls of Run.
  struct Server {
    std::uint32_t slots = 4;
    double service_ns = 5 * kMs;  // mean of an exponential distribution
    bool fails = false;           // answers every call with a fault, at once
    bool silent = false;          // answers nothing
    bool refuses = false;         // cannot be connected to
    std::int64_t paused_until_ns = 0;
    // Since the last Run began.
    int calls = 0;
    int faults = 0;
  };

  SmallWorld(const std::string& text, std::size_t servers, std::size_t clients = 1,
             std::vector<std::int32_t> weights = {})
      : servers_(servers), states_(servers) {
    weights.resize(servers, kDefaultWeight);
    for (std::size_t c = 0; c < clients; ++c) {
      clients_.push_back(std::make_unique<Balanced>(text, Providers(weights)));
    }
  }

  Server& server(std::size_t i) { return servers_[i]; }
  const Balanced& client(std::size_t c) const { return *clients_[c]; }
  std::int64_t now_ns() const { return now_ns_; }

  // Calls arrive at `rate` a second, from random clients, for `duration_ns`.
  void Run(double rate, std::int64_t duration_ns) {
    for (Server& server : servers_) server.calls = server.faults = 0;
    times_.clear();
    const std::int64_t end_ns = now_ns_ + duration_ns;
    std::exponential_distribution<double> gap(rate / 1e9);
    std::int64_t next_ns = now_ns_ + static_cast<std::int64_t>(gap(words_));
    while (std::min(next_ns, events_.empty() ? next_ns : events_.top().at_ns) <= end_ns) {
      if (!events_.empty() && events_.top().at_ns <= next_ns) {
        const Event event = events_.top();
        events_.pop();
        now_ns_ = event.at_ns;
        Handle(event);
      } else {
        now_ns_ = next_ns;
        next_ns += static_cast<std::int64_t>(gap(words_)) + 1;
        Begin();
      }
    }
    now_ns_ = end_ns;
  }

  // What the calls that ended in the last Run took, failed ones included; q from 0 to 1.
  double TimeAt(double q) {
    if (times_.empty()) return 0;
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(times_.size() - 1));
    std::nth_element(times_.begin(), times_.begin() + at, times_.end());
    return static_cast<double>(times_[static_cast<std::size_t>(at)]);
  }
  int calls() const {
    int sum = 0;
    for (const Server& server : servers_) sum += server.calls;
    return sum;
  }
  double PartOf(std::size_t i) const {
    return static_cast<double>(servers_[i].calls) / std::max(calls(), 1);
  }

 private:
  static constexpr std::int64_t kDeadlineNs = kSecond;

  struct Call {
    std::size_t client;
    Index server;
    std::int64_t started_ns;
    bool ended = false;
  };
  enum class Kind { kServed, kDeadline, kFault, kRefusal, kResume };
  struct Event {
    std::int64_t at_ns;
    std::uint64_t number;  // keeps simultaneous events in order
    Kind kind;
    std::size_t subject;  // a call, or a server

    friend bool operator>(const Event& a, const Event& b) {
      return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.number > b.number;
    }
  };
  struct State {
    std::uint32_t busy = 0;
    std::queue<std::size_t> waiting;
  };

  void At(std::int64_t at_ns, Kind kind, std::size_t subject) {
    events_.push({at_ns, ++events_so_far_, kind, subject});
  }

  void Begin() {
    const std::size_t client = words_() % clients_.size();
    const PickContext context = {.sequence = calls_.size(), .random = words_(), .now_ns = now_ns_};
    const Index i = clients_[client]->Pick(context);
    ASSERT_LT(i, servers_.size());
    const std::size_t call = calls_.size();
    calls_.push_back({client, i, now_ns_});
    clients_[client]->snapshot().endpoint(i).OnStart(0, now_ns_);
    Server& server = servers_[i];
    ++server.calls;
    At(now_ns_ + kDeadlineNs, Kind::kDeadline, call);
    if (server.refuses) return At(now_ns_ + kMs / 10, Kind::kRefusal, call);
    if (server.fails) return At(now_ns_ + kMs / 10, Kind::kFault, call);
    if (server.silent) return;
    states_[i].waiting.push(call);
    Work(i);
  }

  void Work(Index i) {
    Server& server = servers_[i];
    State& state = states_[i];
    if (now_ns_ < server.paused_until_ns) return At(server.paused_until_ns, Kind::kResume, i);
    std::exponential_distribution<double> service(1 / server.service_ns);
    while (state.busy < server.slots && !state.waiting.empty()) {
      ++state.busy;
      At(now_ns_ + static_cast<std::int64_t>(service(words_)), Kind::kServed,
         state.waiting.front());
      state.waiting.pop();
    }
  }

  void Handle(const Event& event) {
    switch (event.kind) {
      case Kind::kResume:
        return Work(static_cast<Index>(event.subject));
      case Kind::kDeadline:
        return End(event.subject, Outcome::kLate);
      case Kind::kFault:
        return End(event.subject, Outcome::kFaulted);
      case Kind::kRefusal:
        return End(event.subject, Outcome::kLost);
      case Kind::kServed: {
        const Index i = calls_[event.subject].server;
        if (now_ns_ < servers_[i].paused_until_ns) {
          return At(servers_[i].paused_until_ns, Kind::kServed, event.subject);
        }
        End(event.subject, Outcome::kAnswered);
        --states_[i].busy;
        Work(i);
      }
    }
  }

  void End(std::size_t number, Outcome outcome) {
    Call& call = calls_[number];
    if (call.ended) return;
    call.ended = true;
    if (outcome != Outcome::kAnswered) ++servers_[call.server].faults;
    times_.push_back(now_ns_ - call.started_ns);
    clients_[call.client]
        ->snapshot()
        .endpoint(call.server)
        .OnEnd(0, call.started_ns, now_ns_, outcome);
  }

  std::vector<Server> servers_;
  std::vector<State> states_;
  std::vector<std::unique_ptr<Balanced>> clients_;
  std::vector<Call> calls_;
  std::vector<std::int64_t> times_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t events_so_far_ = 0;
  std::int64_t now_ns_ = 1000 * kSecond;
  std::mt19937_64 words_{kSeed};
};

}  // namespace weir
