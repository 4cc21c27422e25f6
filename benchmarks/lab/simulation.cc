#include "lab/simulation.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "lab/call_table.h"
#include "lab/client_model.h"
#include "lab/event_queue.h"
#include "lab/oracle.h"
#include "lab/pick_timing.h"
#include "lab/server_model.h"
#include "lab/traffic.h"

namespace weir::lab {
namespace {

// Where the simulated clock begins: to endpoints, 0 means never.
constexpr Nanos kStart = 1'000'000'000'000;
constexpr std::uint32_t kRemapKeys = 2000;

// Addresses in the order of their numbers.
std::string AddressOf(std::uint32_t server) {
  return "10." + std::to_string(100 + server / 10'000) + "." +
         std::to_string(100 + server / 100 % 100) + "." + std::to_string(100 + server % 100) +
         ":20880";
}

struct ProbeRound {
  PickContext context;
  std::size_t count = 0;
  std::array<std::uint32_t, kMaxProbes> servers{};
  std::array<LoadReport, kMaxProbes> reports{};
  std::array<bool, kMaxProbes> answered{};
};

class Simulation {
 public:
  Simulation(const Scenario& scenario, const Contestant& contestant, std::uint64_t seed)
      : scenario_(scenario),
        contestant_(contestant),
        seed_(seed),
        end_(kStart + scenario.warm_up + scenario.duration),
        traffic_(scenario, seed, kStart),
        recorder_(scenario.server_count(), scenario.deadline, kStart + scenario.warm_up),
        oracle_(scenario.service.mean_ns(), scenario.deadline, Random(seed, 4)),
        churn_(seed, 5) {}

  RunResult Run() {
    MakeServers();
    MakeKeys();
    MakeClients();
    NextArrival();
    Event event;
    double events = 0;
    while ((open_ > 0 || arriving_) && queue_.Pop(&event)) {
      ++events;
      Handle(event);
    }
    RunResult result = recorder_.Result();
    result.events = events;
    if (!contestant_.is_oracle()) {
      result.pick_ns = MeasurePick(contestant_.balance, clients_.front().snapshot(), key_hashes_);
    }
    return result;
  }

 private:
  void MakeServers() {
    std::vector<bool> bad;
    Nanos bad_since = -1;
    double top = 0;
    for (const ServerGroup& group : scenario_.servers) top = std::max(top, group.speed);
    std::uint32_t number = 0;
    for (std::uint32_t g = 0; g < scenario_.servers.size(); ++g) {
      const ServerGroup& group = scenario_.servers[g];
      Nanos since = group.speed <= top / 5 ? 0 : group.fail > 0.2 ? group.fail_from : -1;
      for (const SpeedChange& change : group.speeds) {
        if (since < 0 && change.speed <= top / 5) since = change.at;
      }
      if (since >= 0 && bad_since < 0) bad_since = since;
      for (std::uint32_t i = 0; i < group.count; ++i) {
        servers_.emplace_back(number++, group, seed_);
        bad.push_back(since >= 0);
        servers_.back().Begin(kStart, queue_);
        if (group.restart_every > 0) {
          servers_.back().PlanRestart(kStart + group.restart_first + i * group.restart_every,
                                      group.restart_for, queue_);
        }
      }
      if (group.churn_every > 0) PlanChurn(g, kStart + group.churn_every);
    }
    if (bad_since >= 0) recorder_.SetBad(std::move(bad), kStart + bad_since);
  }

  void PlanChurn(std::uint32_t group, Nanos at) {
    if (at >= end_) return;
    queue_.Push(
        {.time = at, .subject = kNoServer, .detail = group, .kind = EventKind::kServerState});
  }

  void MakeKeys() {
    for (std::uint32_t key = 0; key < scenario_.keys; ++key) {
      keys_.push_back("key-" + std::to_string(key));
      key_hashes_.push_back(HashKey(keys_.back()));
    }
    if (contestant_.name != kKeyedOracle) return;
    std::vector<double> capacity;
    for (const ServerModel& server : servers_) {
      capacity.push_back(server.group().slots * server.group().speed);
    }
    keyed_oracle_ = std::make_unique<KeyedOracle>(KeyPopularity(scenario_), std::move(capacity));
  }

  void MakeClients() {
    if (!contestant_.is_oracle()) {
      for (std::uint32_t i = 0; i < scenario_.clients; ++i) {
        clients_.emplace_back(contestant_.balance, scenario_.server_count(),
                              Random(seed_, 1'000'000 + i));
      }
    }
    UseList();
  }

  // Who would get each of some keys now; empty where that is no question.
  std::vector<std::uint32_t> Owners(Nanos now) {
    std::vector<std::uint32_t> owners;
    if (!contestant_.keyed) return owners;
    for (std::uint32_t key = 0; key < std::min(scenario_.keys, kRemapKeys); ++key) {
      owners.push_back(keyed_oracle_ ? keyed_oracle_->Owner(key)
                                     : clients_.front().Pick(RequestOf(key), {.now_ns = now}, {}));
    }
    return owners;
  }

  void UseList() {
    std::vector<ListedServer> listed;
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < servers_.size(); ++i) {
      const ServerModel& server = servers_[i];
      if (!server.listed()) continue;
      numbers.push_back(i);
      listed.push_back({.server = i,
                        .provider = {.address = AddressOf(i),
                                     .weight = server.group().weight,
                                     .zone = server.group().zone,
                                     .started_ms = server.started() / 1'000'000},
                        .started = server.started()});
    }
    for (ClientModel& client : clients_) {
      client.UseList(listed);
      for (const std::uint32_t i : numbers) client.SetReachable(i, true);
    }
    if (keyed_oracle_) keyed_oracle_->UseList(numbers);
    listed_ = std::move(numbers);
  }

  void OnList(Nanos now) {
    const std::vector<std::uint32_t> before = Owners(now);
    const std::vector<std::uint32_t> listed_before = listed_;
    UseList();
    const std::vector<std::uint32_t> after = Owners(now);
    if (before.empty() || listed_ == listed_before) return;
    int moved = 0;
    int needless = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] == after[i]) continue;
      ++moved;
      const bool had_to_leave = !std::binary_search(listed_.begin(), listed_.end(), before[i]);
      const bool is_new = !std::binary_search(listed_before.begin(), listed_before.end(), after[i]);
      if (!had_to_leave && !is_new) ++needless;
    }
    const auto all = static_cast<double>(before.size());
    recorder_.OnRemap(moved / all, needless / all);
  }

  RequestView RequestOf(std::uint32_t key) const noexcept {
    if (keys_.empty()) return {.method = "lab.Work/Do"};
    return {
        .method = "lab.Work/Do", .key = keys_[key], .key_hash = key_hashes_[key], .has_key = true};
  }

  void NextArrival() {
    next_call_ = traffic_.Next();
    arriving_ = next_call_.time < end_;
    if (arriving_) queue_.Push({.time = next_call_.time, .kind = EventKind::kArrival});
  }

  void Handle(const Event& event) {
    const std::uint32_t id = event.subject;
    switch (event.kind) {
      case EventKind::kArrival:
        return OnArrival(event.time);
      case EventKind::kProbeAsked:
        return OnProbeAsked(event);
      case EventKind::kProbeTold:
        return OnProbeTold(event);
      case EventKind::kRequest: {
        SimulatedCall& call = calls_[id];
        const Work work{.call = id, .nanos = call.work_ns, .deadline = call.deadline};
        if (!servers_[call.server].Accept(work, event.time, queue_)) Lose(id, event.time);
        return;
      }
      case EventKind::kFinished:
        return OnFinished(event);
      case EventKind::kResponse:
        return OnResponse(id, event.time);
      case EventKind::kDeadline:
        if (calls_[id].serial == event.epoch && !calls_[id].ended) OnDeadline(id, event.time);
        return;
      case EventKind::kServerState:
        return id == kNoServer ? OnChurn(event) : OnServerState(event);
      case EventKind::kList:
        return OnList(event.time);
    }
  }

  void OnArrival(Nanos now) {
    const std::uint32_t id = calls_.Add();
    SimulatedCall& call = calls_[id];
    call.client = next_call_.client;
    call.key = next_call_.key;
    call.work_ns = next_call_.work_ns;
    call.arrived = now;
    call.deadline = now + scenario_.deadline;
    ++open_;
    queue_.Push(
        EventQueue::kDeadlines,
        {.time = call.deadline, .subject = id, .epoch = call.serial, .kind = EventKind::kDeadline});
    NextArrival();
    Place(id, now);
  }

  void Place(std::uint32_t id, Nanos now) {
    SimulatedCall& call = calls_[id];
    if (contestant_.is_oracle()) {
      return Send(id, keyed_oracle_ ? keyed_oracle_->Owner(call.key) : oracle_.Pick(servers_, now),
                  now);
    }
    ClientModel& client = clients_[call.client];
    const PickContext context = client.NextContext(now);
    if (contestant_.balance.strategy.probe != nullptr) {
      ProbeRound round{.context = context};
      round.count = client.Probe(RequestOf(call.key), context, round.servers);
      if (round.count > 0) {
        recorder_.OnProbes(round.count);
        call.pending = true;
        const auto at = static_cast<std::uint32_t>(probes_.size());
        if (free_probes_.empty()) {
          probes_.push_back(round);
          free_probes_.push_back(at);
        }
        const std::uint32_t probe = free_probes_.back();
        free_probes_.pop_back();
        probes_[probe] = round;
        queue_.Push(EventQueue::kProbesOut, {.time = now + scenario_.network,
                                             .subject = id,
                                             .detail = probe,
                                             .kind = EventKind::kProbeAsked});
        return;
      }
    }
    Send(id, client.Pick(RequestOf(call.key), context, call.earlier()), now);
  }

  void OnProbeAsked(const Event& event) {
    ProbeRound& round = probes_[event.detail];
    for (std::size_t i = 0; i < round.count; ++i) {
      const ServerModel& server = servers_[round.servers[i]];
      round.answered[i] = server.running() && !server.paused();
      round.reports[i] = server.Report();
    }
    Event told = event;
    told.time += scenario_.network;
    told.kind = EventKind::kProbeTold;
    queue_.Push(EventQueue::kProbesBack, told);
  }

  void OnProbeTold(const Event& event) {
    SimulatedCall& call = calls_[event.subject];
    ProbeRound& round = probes_[event.detail];
    ClientModel& client = clients_[call.client];
    for (std::size_t i = 0; i < round.count; ++i) {
      if (round.answered[i])
        client.endpoint(round.servers[i]).OnReport(round.reports[i], event.time);
    }
    PickContext context = round.context;
    context.now_ns = event.time;
    free_probes_.push_back(event.detail);
    call.pending = false;
    if (call.ended) return calls_.Settle(event.subject);
    Send(event.subject, client.Pick(RequestOf(call.key), context, call.earlier()), event.time);
  }

  void Send(std::uint32_t id, std::uint32_t server, Nanos now) {
    SimulatedCall& call = calls_[id];
    if (server == kNoServer) return End(id, now, false);
    call.server = server;
    call.started = now;
    call.pending = true;
    if (!clients_.empty()) clients_[call.client].endpoint(server).OnStart(0, now);
    ++servers_[server].assigned;
    recorder_.OnPick(server, now);
    queue_.Push(EventQueue::kRequests,
                {.time = now + scenario_.network, .subject = id, .kind = EventKind::kRequest});
  }

  // Its server does not run (any more).
  void Lose(std::uint32_t id, Nanos now) {
    calls_[id].outcome = Outcome::kLost;
    Respond(id, now);
  }

  void Respond(std::uint32_t id, Nanos now) {
    --servers_[calls_[id].server].assigned;
    queue_.Push(EventQueue::kResponses,
                {.time = now + scenario_.network, .subject = id, .kind = EventKind::kResponse});
  }

  void OnFinished(const Event& event) {
    ServerModel& server = servers_[event.subject];
    const Work done = server.Finish(event, queue_, dropped_);
    for (const std::uint32_t id : dropped_) {
      --server.assigned;
      calls_[id].pending = false;
      calls_.Settle(id);
    }
    dropped_.clear();
    if (done.call == kNoCall) return;
    calls_[done.call].outcome = done.fails ? Outcome::kFaulted : Outcome::kAnswered;
    LoadReport& report = calls_[done.call].report;
    report = server.Report();
    ++report.in_flight;  // with the call that this answers, as servers count
    Respond(done.call, event.time);
  }

  void OnResponse(std::uint32_t id, Nanos now) {
    SimulatedCall& call = calls_[id];
    call.pending = false;
    if (call.ended) return calls_.Settle(id);
    const bool lost = call.outcome == Outcome::kLost;
    if (!clients_.empty()) {
      ClientModel& client = clients_[call.client];
      if (!lost) client.endpoint(call.server).OnReport(call.report, now);
      client.endpoint(call.server).OnEnd(0, call.started, now, call.outcome);
      if (lost && !servers_[call.server].running()) client.SetReachable(call.server, false);
    }
    const bool good = call.outcome == Outcome::kAnswered;
    if (!good && call.attempts + 1U < scenario_.attempts) {
      call.tried[call.attempts++] = std::exchange(call.server, kNoServer);
      return Place(id, now);
    }
    End(id, now, good);
  }

  void OnDeadline(std::uint32_t id, Nanos now) {
    const SimulatedCall& call = calls_[id];
    const bool is_sent = call.pending && call.server != kNoServer;
    if (is_sent && !clients_.empty()) {
      clients_[call.client].endpoint(call.server).OnEnd(0, call.started, now, Outcome::kLate);
    }
    End(id, now, false);
  }

  void End(std::uint32_t id, Nanos now, bool good) {
    calls_[id].ended = true;
    --open_;
    recorder_.OnEnd(calls_[id].arrived, now, good);
    calls_.Settle(id);
  }

  void OnChurn(const Event& event) {
    const ServerGroup& group = scenario_.servers[event.detail];
    for (int attempt = 0; attempt < 100; ++attempt) {
      ServerModel& server = servers_[churn_.Below(static_cast<std::uint32_t>(servers_.size()))];
      if (&server.group() != &group || !server.listed()) continue;
      server.PlanRestart(event.time, group.churn_for, queue_);
      break;
    }
    PlanChurn(event.detail, event.time + group.churn_every);
  }

  void OnServerState(const Event& event) {
    ServerModel& server = servers_[event.subject];
    const bool was_listed = server.listed();
    server.Change(event, queue_, lost_);
    for (const std::uint32_t id : lost_) Lose(id, event.time);
    lost_.clear();
    if (server.listed() == was_listed) return;
    queue_.Push({.time = event.time + scenario_.discovery, .kind = EventKind::kList});
  }

  const Scenario& scenario_;
  const Contestant& contestant_;
  const std::uint64_t seed_;
  const Nanos end_;
  EventQueue queue_;
  Traffic traffic_;
  NewCall next_call_;
  bool arriving_ = true;
  std::uint64_t open_ = 0;  // calls that have not ended
  Recorder recorder_;
  std::vector<std::string> keys_;
  std::vector<std::uint64_t> key_hashes_;
  std::vector<ServerModel> servers_;
  std::vector<std::uint32_t> listed_;  // as clients know it, ascending
  std::vector<ClientModel> clients_;   // none for an oracle
  Oracle oracle_;
  std::unique_ptr<KeyedOracle> keyed_oracle_;
  Random churn_;
  CallTable calls_;
  std::vector<ProbeRound> probes_;
  std::vector<std::uint32_t> free_probes_;
  std::vector<std::uint32_t> dropped_;
  std::vector<std::uint32_t> lost_;
};

}  // namespace

RunResult Simulate(const Scenario& scenario, const Contestant& contestant, std::uint64_t seed) {
  return Simulation(scenario, contestant, seed).Run();
}

}  // namespace weir::lab
