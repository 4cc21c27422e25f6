// A server whose workers are processes: what each of them does (server/prefork.h).
#include <thread>
#include <utility>

#include "server/prefork.h"
#include "server/server_core.h"

namespace weir::detail {

Status ServerCore::ListenForWorkers() {
  const std::uint32_t workers = ReactorsOrCores(state_->options.threads);
  if (bound_.is_unix()) return {};  // they share the one socket
  while (sockets_.size() < workers) {
    Result<ListeningSocket> twin = sockets_.front().Twin(state_->options);
    if (!twin.ok()) return std::move(twin).status();
    sockets_.push_back(*std::move(twin));
  }
  return {};
}

Result<std::vector<std::string>> ServerCore::ServeAsWorker(Server& server, std::uint32_t slot) {
  ListeningSocket socket = std::move(sockets_[slot % sockets_.size()]);
  sockets_.clear();  // those of the other workers
  if (on_worker_start_) {
    if (Status status = on_worker_start_(server); !status.ok()) return status;
  }
  if (!mistake_.ok()) return mistake_;
  ThreadOptions threads = state_->options.threads;
  threads.model = ThreadModel::kSingleReactor;
  runtime_ = std::make_shared<Runtime>(threads);
  Serve(std::move(socket));
  return state_->services.ServiceNames();
}

Status ServerCore::RunPrefork(Server& server, const std::function<void()>& destroy) {
  if (!mistake_.ok()) return mistake_;
  if (sockets_.empty()) {
    if (Status status = Listen(); !status.ok()) return status;
  }
  PreforkWork work;
  work.workers = ReactorsOrCores(state_->options.threads);
  work.address = bound_.ToString();
  work.drain_notice = state_->options.drain_notice;
  work.drain_timeout = state_->options.drain_timeout;
  work.serve = [this, &server](std::uint32_t slot) { return ServeAsWorker(server, slot); };
  work.drain = [this, &destroy](bool orphaned) {
    // The registrar has heard of it, too, and withdraws.
    if (orphaned && !wanted_.empty()) std::this_thread::sleep_for(state_->options.drain_notice);
    Drain();
    destroy();
  };
  if (!wanted_.empty()) {
    work.announce = [this](const std::vector<std::string>& services) {
      sockets_.clear();
      return Register(services);
    };
    work.withdraw = [this] {
      Withdraw();
      registries_.clear();
    };
  }
  work.close_sockets = [this] { sockets_.clear(); };
  Status status = weir::RunPrefork(work);
  Unlisten();
  return status;
}

}  // namespace weir::detail
