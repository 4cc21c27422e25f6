#include "server/server_core.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "transport/connection.h"
#include "weir/log.h"

namespace weir::detail {
namespace {

std::uint32_t MaxConnections(const ServerLimits& limits) {
  if (limits.max_connections > 0) return limits.max_connections;
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 1024;
  const rlim_t usable = descriptors.rlim_cur / 5 * 4;
  return usable > 1'000'000 ? 1'000'000 : static_cast<std::uint32_t>(usable);
}

// The address of this machine that other machines can reach, if it has one.
std::string RoutableHost() {
  std::string host = "127.0.0.1";
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return host;
  for (const ifaddrs* one = interfaces; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if ((ntohl(address->sin_addr.s_addr) >> 24) == 127) continue;
    char text[INET_ADDRSTRLEN];
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) != nullptr) {
      host = text;
      break;
    }
  }
  freeifaddrs(interfaces);
  return host;
}

}  // namespace

Status ServerCore::Listen() {
  if (!sockets_.empty() || started_) return FailedPrecondition("the server listens already");
  if (is_prefork() && runtime_) {
    return FailedPrecondition(
        "thread model prefork makes a runtime in each worker; leave ServerOptions::runtime empty");
  }
  const Result<Address> address = Address::Parse(state_->options.listen);
  if (!address.ok()) return address.status();
  Result<ListeningSocket> socket = ListeningSocket::Open(*address, state_->options);
  if (!socket.ok()) return std::move(socket).status();
  bound_ = socket->address();
  address_ = *AddressFor({});
  sockets_.push_back(*std::move(socket));
  if (!is_prefork()) return {};
  Status status = ListenForWorkers();
  if (!status.ok()) Unlisten();
  return status;
}

void ServerCore::Unlisten() {
  sockets_.clear();
  bound_ = {};
  address_.clear();
}

Status ServerCore::Start(Server& server) {
  if (started_) return FailedPrecondition("the server was started already");
  if (is_prefork()) {
    return FailedPrecondition(
        "thread model prefork forks its workers: call Run() instead of Start()");
  }
  if (auto start = std::exchange(on_worker_start_, nullptr)) {
    if (Status status = start(server); !status.ok()) return status;
  }
  if (!mistake_.ok()) return mistake_;
  if (sockets_.empty()) {
    if (Status status = Listen(); !status.ok()) return status;
  }
  if (Status status = Register(state_->services.ServiceNames()); !status.ok()) {
    registrations_.clear();
    registries_.clear();
    Unlisten();
    return status;
  }
  ListeningSocket socket = std::move(sockets_.front());
  sockets_.clear();
  Serve(std::move(socket));
  LogInfo("serving on " + bound_.ToString());
  return {};
}

void ServerCore::Serve(ListeningSocket socket) {
  if (!runtime_) runtime_ = std::make_shared<Runtime>(state_->options.threads);
  state_->RunOn(runtime_->core());
  max_connections_ = MaxConnections(state_->options.limits);
  Reactor& reactor = runtime_->core().reactor(0);
  listener_ = std::make_shared<Listener>(
      reactor, std::move(socket), [this]() -> Reactor& { return ChooseReactor(); },
      [this](Reactor& owner, Socket accepted) { OnAccepted(owner, std::move(accepted)); });
  started_ = true;
  reactor.PostFunction([this] { listener_->Start(); });
}

Status ServerCore::WaitUntilRegistered(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (const auto& registry : registries_) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const std::int64_t left_ms = std::max<std::int64_t>(left.count(), 0);
    if (Status status = registry->WaitUntilRegistered(left_ms); !status.ok()) return status;
  }
  return {};
}

Result<std::string> ServerCore::AddressFor(const RegistrationOptions& options) const {
  Address address = bound_;
  if (!options.address.empty()) {
    Result<Address> given = Address::Parse(options.address);
    if (!given.ok()) return std::move(given).status();
    if (given->can_be_called()) return given->ToString();
    if (address.is_unix()) {
      return InvalidArgument("address '" + options.address +
                             "': port 0 stands for the port "
                             "listened on, and " +
                             address.ToString() + " has none");
    }
    given->port = address.port;
    return given->ToString();
  }
  if (address.is_unix()) return address.ToString();
  if (address.host == "0.0.0.0" || address.host == "::") address.host = RoutableHost();
  return address.ToString();
}

Status ServerCore::Register(const std::vector<std::string>& services) {
  for (const Wanted& wanted : wanted_) {
    if (wanted.options.weight < kWeightUnset || wanted.options.weight > kMaxWeight) {
      return InvalidArgument("weight " + std::to_string(wanted.options.weight) +
                             " is not between 0 and " + std::to_string(kMaxWeight));
    }
    const Result<std::string> address = AddressFor(wanted.options);
    if (!address.ok()) return address.status();
    Result<std::shared_ptr<Registry>> registry = Registries().Open(wanted.url);
    if (!registry.ok()) return std::move(registry).status();
    for (const std::string& service : services) {
      auto registration =
          (*registry)->Register({service, *address, wanted.options.weight, wanted.options.facts});
      if (!registration.ok()) return std::move(registration).status();
      registrations_.push_back(*std::move(registration));
    }
    registries_.push_back(*std::move(registry));
  }
  return {};
}

Reactor& ServerCore::ChooseReactor() {
  const std::uint32_t next = next_reactor_.fetch_add(1, std::memory_order_relaxed);
  return runtime_->core().reactor(next % runtime_->core().size());
}

void ServerCore::OnAccepted(Reactor& reactor, Socket socket) {
  state_->accepted.fetch_add(1, std::memory_order_relaxed);
  if (state_->open_connections.load(std::memory_order_relaxed) >= max_connections_) {
    state_->refused.fetch_add(1, std::memory_order_relaxed);
    return;  // closes it
  }
  std::string peer = PeerOf(socket);
  if (peer.empty()) return;
  if (bound_.is_unix()) {
    const Status applied = Apply(state_->options.socket, socket.native_handle(), AF_UNIX);
    if (!applied.ok()) LogWarning(applied.message());
  }
  // Counted before its reactor hears of it, so that a burst cannot pass the limit.
  state_->open_connections.fetch_add(1, std::memory_order_relaxed);
  ServerShard& shard = *state_->shards[reactor.index()];
  const ServerLimits& limits = state_->options.limits;
  const ConnectionLimits connection_limits{.unwritten_soft = limits.unwritten_soft};
  auto start = [state = state_, &shard, connection_limits, socket = std::move(socket),
                peer = std::move(peer)]() mutable {
    auto protocol = std::make_unique<ServerConnection>(std::move(state), shard, std::move(peer));
    const auto connection = Ref<Connection>::Adopt(
        new Connection(*shard.reactor, std::move(socket), std::move(protocol), connection_limits));
    connection->Start();
  };
  if (reactor.IsCurrent()) {
    start();
  } else {
    reactor.PostFunction(std::move(start));
  }
}

void ServerCore::OnEveryConnection(const std::function<void(ServerConnection&)>& work) {
  runtime_->core().OnEveryReactor([&](std::uint32_t i) {
    // Work may close connections and so change the set.
    const auto& open = state_->shards[i]->connections;
    for (ServerConnection* connection : std::vector(open.begin(), open.end())) work(*connection);
  });
}

void ServerCore::CloseListener() {
  Reactor& reactor = runtime_->core().reactor(0);
  if (reactor.IsCurrent()) return listener_->Close();
  reactor.PostFunction([this] { listener_->Close(); });
  // What was accepted before is on its way behind it.
  std::latch closed(1);
  reactor.PostFunction([&reactor, &closed] { reactor.PostFunction([&] { closed.count_down(); }); });
  closed.wait();
}

bool ServerCore::Withdraw() {
  std::vector<std::unique_ptr<Registration>> withdrawn;
  {
    const std::lock_guard lock(leaving_mutex_);
    withdrawn.swap(registrations_);
  }
  return !withdrawn.empty();
}

void ServerCore::Drain() {
  if (!started_ || stopped_) return;
  if (Withdraw()) std::this_thread::sleep_for(state_->options.drain_notice);
  CloseListener();
  OnEveryConnection([](ServerConnection& connection) { connection.Drain(); });
  const auto give_up = std::chrono::steady_clock::now() + state_->options.drain_timeout;
  while (state_->open_connections.load(std::memory_order_acquire) > 0 &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  Stop();
}

void ServerCore::Stop() {
  if (!started_) return;
  if (stopped_.exchange(true)) {
    // Another thread stops it, perhaps a handler. Who comes second must not destroy it meanwhile;
    // only a reactor cannot wait, because the first waits for the reactors.
    if (!runtime_->core().RunsThisThread()) ended_.wait();
    return;
  }
  Withdraw();
  {
    std::vector<std::shared_ptr<Registry>> left;  // destroyed after the lock is given back
    const std::lock_guard lock(leaving_mutex_);
    left.swap(registries_);
  }
  CloseListener();
  OnEveryConnection([](ServerConnection& connection) {
    connection.CloseNow(Unavailable("the server was stopped"));
  });
  // Once more round: what the listener's last handlers still refer to.
  runtime_->core().OnEveryReactor([](std::uint32_t) {});
  runtime_->core().AwaitHandlers();
  ended_.count_down();
}

ServerStats ServerCore::stats() const noexcept {
  ServerStats stats;
  stats.connections_accepted = state_->accepted.load(std::memory_order_relaxed);
  stats.connections_refused = state_->refused.load(std::memory_order_relaxed);
  stats.connections_open = state_->open_connections.load(std::memory_order_relaxed);
  for (const auto& shard : state_->shards) {
    stats.calls_started += shard->calls_started.load(std::memory_order_relaxed);
    stats.calls_failed += shard->calls_failed.load(std::memory_order_relaxed);
    stats.protocol_errors += shard->protocol_errors.load(std::memory_order_relaxed);
  }
  return stats;
}

}  // namespace weir::detail
