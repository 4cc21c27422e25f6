// ServerCore: what a Server is made of: its listener, its connections, its registrations.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/listener.h"
#include "server/listening_socket.h"
#include "server/server_connection.h"
#include "server/server_state.h"
#include "transport/socket.h"
#include "weir/server.h"

namespace weir::detail {

// The contracts are those of Server.
class ServerCore {
 public:
  explicit ServerCore(ServerOptions options)
      : runtime_(options.runtime), state_(std::make_shared<ServerState>(std::move(options))) {}
  ~ServerCore() { Stop(); }

  void Add(std::unique_ptr<Service> service) {
    Status status = state_->services.Add(std::move(service));
    if (!status.ok() && mistake_.ok()) mistake_ = std::move(status);
  }
  void RegisterAt(std::string_view url, RegistrationOptions options) {
    wanted_.push_back({std::string(url), std::move(options)});
  }

  Status Listen();
  void OnWorkerStart(std::function<Status(Server&)> start) { on_worker_start_ = std::move(start); }
  bool is_prefork() const noexcept {
    return state_->options.threads.model == ThreadModel::kPrefork;
  }
  Status Start(Server& server);
  // kPrefork: returns when all processes have ended, in the master alone. A child calls `destroy`,
  // which destroys this, before it ends.
  Status RunPrefork(Server& server, const std::function<void()>& destroy);
  Status WaitUntilRegistered(std::chrono::milliseconds timeout);
  void Drain();
  void Stop();
  std::uint16_t port() const noexcept { return bound_.port; }
  std::string address() const { return address_; }
  ServerStats stats() const noexcept;

 private:
  struct Wanted {
    std::string url;
    RegistrationOptions options;
  };

  Status ListenForWorkers();
  Result<std::vector<std::string>> ServeAsWorker(Server& server, std::uint32_t slot);
  // Makes the runtime and accepts from the socket.
  void Serve(ListeningSocket socket);
  // Gives the address back.
  void Unlisten();
  Status Register(const std::vector<std::string>& services);
  // Withdraws from the registries; true if there was something to withdraw.
  bool Withdraw();
  Result<std::string> AddressFor(const RegistrationOptions& options) const;
  Reactor& ChooseReactor();
  void OnAccepted(Reactor& reactor, Socket socket);
  // Runs `work` for every open connection, on its reactor; returns when that is done.
  void OnEveryConnection(const std::function<void(ServerConnection&)>& work);
  void CloseListener();

  std::shared_ptr<Runtime> runtime_;  // null until it serves, unless it was given
  std::shared_ptr<ServerState> state_;
  Status mistake_;
  std::function<Status(Server&)> on_worker_start_;
  std::vector<Wanted> wanted_;
  std::vector<ListeningSocket> sockets_;  // from Listen until it serves; kPrefork: one per worker
  Address bound_;
  std::string address_;
  std::shared_ptr<Listener> listener_;
  std::uint32_t max_connections_ = 0;
  std::atomic<std::uint32_t> next_reactor_{0};
  // Registries outlive their registrations.
  std::vector<std::shared_ptr<Registry>> registries_;
  std::vector<std::unique_ptr<Registration>> registrations_;
  std::mutex leaving_mutex_;  // over the two vectors once the server has started
  std::atomic<bool> started_{false};
  std::atomic<bool> stopped_{false};
  std::latch ended_{1};  // Stop has returned
};

}  // namespace weir::detail
