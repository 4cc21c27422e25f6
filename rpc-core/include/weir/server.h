// Server: a provider's listening port, its services, and their registration.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "weir/registry.h"
#include "weir/runtime.h"
#include "weir/service.h"
#include "weir/socket_options.h"
#include "weir/status.h"

namespace weir {

namespace detail {
class ServerCore;
}

// What a server accepts; every limit is on by default. Bytes unless said.
struct ServerLimits {
  std::uint32_t max_message_bytes = 16u << 20;
  std::uint32_t max_attachment_bytes = 64u << 20;
  // Calls running at once on one connection; more get RESOURCE_EXHAUSTED.
  std::uint32_t max_calls_per_connection = 1024;
  // Calls running at once in the whole server.
  std::uint32_t max_calls = 65'536;
  // 0: 80 % of RLIMIT_NOFILE. Above it connections are accepted and closed.
  std::uint32_t max_connections = 0;
  // Replies not yet taken by a peer: above `soft` its requests are no longer read; above `hard` the
  // next reply disconnects it.
  std::size_t unwritten_soft = 1u << 20;
  std::size_t unwritten_hard = 64u << 20;
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(5);  // to the first valid frame
  std::chrono::nanoseconds header_timeout = std::chrono::seconds(10);    // for a frame's header
  std::uint32_t min_body_bytes_per_s = 1024;                             // for the rest of a frame
  std::chrono::nanoseconds idle_timeout = std::chrono::minutes(15);
  // A peer may send one PING per this long; after three strikes GOAWAY.
  std::chrono::nanoseconds min_ping_interval = std::chrono::seconds(5);
};

struct RegistrationOptions {
  std::int32_t weight = kWeightUnset;  // 0..kMaxWeight; 0: registered, but gets no calls
  // Under which address consumers reach this server, "host:port" or "unix:/path"; empty: derived
  // from where it listens. A port of 0 stands for the port listened on. A registry that other
  // machines read (zk://) takes no Unix-domain socket.
  std::string address = {};
  Facts facts = {};  // for those who ask, such as {{"version", "2.1"}} (weir/registry.h)
};

struct ServerOptions {
  // "host:port"; port 0: any free one, see Server::port(). Or "unix:/path": the file that a server
  // left behind which was killed is replaced, and Drain and Stop remove their own.
  std::string listen = "127.0.0.1:0";
  // Who may connect to a Unix-domain socket: its file's mode, such as 0660. 0: as the umask says.
  std::uint32_t unix_mode = 0;
  // Connections that wait to be accepted; no more than net.core.somaxconn.
  int backlog = 1024;
  // An IPv6 address takes no IPv4 callers. False: as the machine is set up, commonly it does.
  bool v6_only = false;
  ThreadOptions threads = {};  // ignored when `runtime` is given
  std::shared_ptr<Runtime> runtime =
      nullptr;  // to share threads with channels; null: the server's own
  ServerLimits limits = {};
  // Drain: how long consumers are given to learn that this provider leaves, and how long running
  // calls are given to end.
  std::chrono::nanoseconds drain_notice = std::chrono::milliseconds(300);
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(10);
  // A handler that keeps a reactor longer than this is logged with its name. 0: never.
  std::chrono::nanoseconds slow_handler = std::chrono::milliseconds(100);
  // How many calls this server can work on at once, which it tells consumers beside its load. 0:
  // the workers in models with workers or if all methods are (weir.blocking), else the reactors
  // that run handlers. A server of coroutines that wait for something else knows better.
  std::uint32_t load_slots = 0;
  // Of the connections. (Last, because GCC 12 gives false warnings otherwise when `runtime` is made
  // in the braces.)
  SocketOptions socket = {};
};

// Counters since the start; a snapshot.
struct ServerStats {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // above max_connections
  std::uint64_t connections_open = 0;
  std::uint64_t calls_started = 0;
  std::uint64_t calls_failed = 0;     // answered with another code than OK
  std::uint64_t protocol_errors = 0;  // connections closed for what they sent
};

// A resource; thread-safe but for what comes before Start.
class Server {
 public:
  explicit Server(ServerOptions options = {});
  ~Server();  // as Stop
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;

  // Adds a service. A mistake (two services of one name) is reported by Start.
  void Add(std::unique_ptr<Service> service);
  // `start` is called once by Start, or by Run in each worker process (ThreadModel::kPrefork),
  // before anything is served: the place to Add services and to make what has threads, such as
  // channels, engines and registries, which a fork would not carry over. Its failure is that of
  // Start.
  void OnWorkerStart(std::function<Status(Server&)> start);
  // Announces all services in a registry once the port listens. A mistake in the URL is reported by
  // Start; an unreachable registry is not one: the announcement is made as soon as it can be.
  void RegisterAt(std::string_view registry_url, RegistrationOptions options = {});

  // Takes the port and nothing more, for a program that wants to know that it is free before it
  // makes anything else; connections wait until Start. address() and port() are known from here on,
  // and Add and RegisterAt may still follow. Optional: Start does it otherwise.
  Status Listen();
  // Listens, registers, returns. The status names a port in use, an unknown scheme, and so on.
  // FAILED_PRECONDITION with ThreadModel::kPrefork, which Run alone can serve.
  Status Start();
  // After Start: waits until consumers can see this server in every registry it was given.
  // DEADLINE_EXCEEDED names the registry and why it cannot be reached.
  Status WaitUntilRegistered(std::chrono::milliseconds timeout);
  // Start, then serve until SIGTERM or SIGINT, then drain. Returns an exit code: 0, or 1 after
  // printing one line to standard error. With ThreadModel::kPrefork this process is the master of
  // the workers and returns when they have ended; workers never return from here. SIGHUP replaces
  // them one by one. stats() and MetricsText() are those of the process that asks.
  int Run();
  // Leaves without failing a call: withdraws from the registries, tells the peers (GOAWAY),
  // finishes what runs, closes. Returns when done or when drain_timeout has passed.
  void Drain();
  // Closes at once; running calls fail at their callers with UNAVAILABLE. Idempotent.
  void Stop();

  // The port listened on; 0 before Listen or Start, and for a Unix-domain socket.
  std::uint16_t port() const noexcept;
  // What consumers use, "host:port" or "unix:/path"; empty before Listen or Start.
  std::string address() const;
  ServerStats stats() const noexcept;

 private:
  std::unique_ptr<detail::ServerCore> core_;
};

}  // namespace weir
