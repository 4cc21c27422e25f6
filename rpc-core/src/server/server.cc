#include "weir/server.h"

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <utility>

#include "server/server_core.h"
#include "weir/log.h"

namespace weir {

Server::Server(ServerOptions options)
    : core_(std::make_unique<detail::ServerCore>(std::move(options))) {}
Server::~Server() = default;
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;

void Server::Add(std::unique_ptr<Service> service) {
  core_->Add(std::move(service));
}
void Server::RegisterAt(std::string_view registry_url, RegistrationOptions options) {
  core_->RegisterAt(registry_url, std::move(options));
}
void Server::OnWorkerStart(std::function<Status(Server&)> start) {
  core_->OnWorkerStart(std::move(start));
}
Status Server::Listen() {
  return core_->Listen();
}
Status Server::Start() {
  return core_->Start(*this);
}
Status Server::WaitUntilRegistered(std::chrono::milliseconds timeout) {
  return core_->WaitUntilRegistered(timeout);
}
void Server::Drain() {
  core_->Drain();
}
void Server::Stop() {
  core_->Stop();
}
std::uint16_t Server::port() const noexcept {
  return core_->port();
}
std::string Server::address() const {
  return core_->address();
}
ServerStats Server::stats() const noexcept {
  return core_->stats();
}

namespace {

int Fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int Server::Run() {
  if (core_->is_prefork()) {
    const Status status = core_->RunPrefork(*this, [this] { core_.reset(); });
    return status.ok() ? 0 : Fail(status);
  }
  asio::io_context signals;
  asio::error_code error;
  asio::signal_set leave(signals);
  leave.add(SIGTERM, error);
  leave.add(SIGINT, error);
  if (Status status = Start(); !status.ok()) return Fail(status);
  leave.async_wait([](const asio::error_code&, int) {});
  signals.run();
  LogInfo("draining");
  Drain();
  return 0;
}

}  // namespace weir
