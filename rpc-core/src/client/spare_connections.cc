#include "client/spare_connections.h"

#include <algorithm>
#include <utility>

#include "client/client_connection.h"
#include "client/client_shard.h"
#include "client/connect_attempt.h"
#include "client/provider_link.h"
#include "weir/address.h"

namespace weir {

struct SpareConnections::Spare {
  std::shared_ptr<ConnectAttempt> attempt;
  Ref<Connection> connection;
  ClientConnection* protocol = nullptr;  // owned by the connection
  bool ready = false;

  struct Timer : detail::TimerNode {
    SpareConnections* owner = nullptr;
    Spare* spare = nullptr;
  };
  Timer patience;  // until it is ready
};

SpareConnections::SpareConnections(ClientShard& shard, ProviderLink& link)
    : shard_(shard), link_(link) {}

SpareConnections::~SpareConnections() {
  for (const auto& spare : spares_) {
    shard_.reactor().ClearTimer(spare->patience);
    if (spare->attempt) spare->attempt->GiveUp();
    if (spare->protocol != nullptr) spare->protocol->Detach();
  }
}

ClientConnection& SpareConnections::Choose(ClientConnection& first) {
  ClientConnection* best = first.HasRoom() ? &first : nullptr;
  for (const auto& spare : spares_) {
    if (best != nullptr && best->in_flight() == 0) break;
    if (!spare->ready || !spare->protocol->HasRoom()) continue;
    if (best == nullptr || spare->protocol->in_flight() < best->in_flight()) {
      best = spare->protocol;
    }
  }
  if (best == nullptr || best->in_flight() > 0) Grow();
  return best != nullptr ? *best : first;
}

bool SpareConnections::HasCalls() const noexcept {
  return std::any_of(spares_.begin(), spares_.end(),
                     [](const auto& spare) { return spare->ready && spare->protocol->HasCalls(); });
}

void SpareConnections::Grow() {
  if (spares_.size() + 1 >= shard_.options().connections_per_provider) return;
  if (!spares_.empty() && !spares_.back()->ready) return;  // one at a time
  const auto now = shard_.reactor().now();
  if (now < not_before_) return;
  const Result<Address> address = Address::Parse(link_.address());
  if (!address.ok()) return;
  spares_.push_back(std::make_unique<Spare>());
  Spare& spare = *spares_.back();
  spare.patience.owner = this;
  spare.patience.spare = &spare;
  spare.patience.fire = [](detail::TimerNode* node) noexcept {
    const auto& timer = *static_cast<Spare::Timer*>(node);
    timer.owner->OnFailed(*timer.spare);
  };
  shard_.reactor().SetTimer(spare.patience, now + shard_.options().connect_timeout);
  spare.attempt = std::make_shared<ConnectAttempt>(shard_.reactor().io(), shard_.options().socket,
                                                   [this, &spare](Result<Socket> socket) {
                                                     const Reactor::Turn turn(shard_.reactor());
                                                     OnConnected(spare, std::move(socket));
                                                   });
  spare.attempt->Start(*address);
}

void SpareConnections::OnConnected(Spare& spare, Result<Socket> socket) {
  if (!socket.ok()) return OnFailed(spare);
  spare.attempt.reset();
  spare.connection = ClientConnection::Over(*std::move(socket), shard_, link_);
  spare.protocol = static_cast<ClientConnection*>(&spare.connection->protocol());
  const Ref<Connection> keep = spare.connection;
  keep->Start();
}

void SpareConnections::OnFailed(Spare& spare) {
  const std::unique_ptr<Spare> failed = Take(spare);
  if (failed->attempt) failed->attempt->GiveUp();
  if (failed->protocol != nullptr) {
    failed->protocol->Detach();
    failed->connection->Close(DeadlineExceeded("no answer in time"));
  }
  Wait();
}

void SpareConnections::Wait() {
  not_before_ = shard_.reactor().now() + shard_.PauseAfter(failures_++);
}

bool SpareConnections::OnReady(const ClientConnection& connection) {
  Spare* spare = Find(connection);
  if (spare == nullptr) return false;
  shard_.reactor().ClearTimer(spare->patience);
  spare->ready = true;
  failures_ = 0;
  return true;
}

bool SpareConnections::OnLost(const ClientConnection& connection) {
  if (!Forget(connection)) return false;
  Wait();
  return true;
}

SpareConnections::Successor SpareConnections::TakeReady() {
  const auto found =
      std::find_if(spares_.begin(), spares_.end(), [](const auto& spare) { return spare->ready; });
  if (found == spares_.end()) return {};
  const std::unique_ptr<Spare> taken = Take(**found);
  Wait();
  return {std::move(taken->connection), taken->protocol};
}

void SpareConnections::Close(const Status& reason) {
  // Closing one may end calls whose completions come back here.
  for (const auto& spare : std::exchange(spares_, {})) {
    shard_.reactor().ClearTimer(spare->patience);
    if (spare->attempt) spare->attempt->GiveUp();
    if (spare->protocol == nullptr) continue;
    spare->protocol->Detach();
    spare->connection->Close(reason);
  }
}

bool SpareConnections::Forget(const ClientConnection& connection) {
  const Spare* spare = Find(connection);
  if (spare == nullptr) return false;
  Take(*spare);
  return true;
}

SpareConnections::Spare* SpareConnections::Find(const ClientConnection& connection) const noexcept {
  const auto found = std::find_if(spares_.begin(), spares_.end(), [&](const auto& spare) {
    return spare->protocol == &connection;
  });
  return found != spares_.end() ? found->get() : nullptr;
}

std::unique_ptr<SpareConnections::Spare> SpareConnections::Take(const Spare& spare) {
  const auto found = std::find_if(spares_.begin(), spares_.end(),
                                  [&](const auto& one) { return one.get() == &spare; });
  std::unique_ptr<Spare> taken = std::move(*found);
  spares_.erase(found);
  shard_.reactor().ClearTimer(taken->patience);
  return taken;
}

}  // namespace weir
