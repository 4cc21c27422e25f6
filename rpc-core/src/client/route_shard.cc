#include <algorithm>
#include <string>
#include <utility>

#include "client/channel_core.h"
#include "client/client_connection.h"
#include "client/route.h"

namespace weir::detail {
namespace {

// Retries of calls that may have started are paid from here: a burst as large as one connection's
// calls, then a tenth of what succeeds.
constexpr double kMostRetryTokens = 1024;
constexpr double kTokensPerSuccess = 0.1;

// The address of the provider that has the call, or null.
const std::string* ProviderOf(const ClientCall& call) noexcept {
  if (call.connection != nullptr) return &call.connection->provider();
  return call.link != nullptr ? &call.link->address() : nullptr;
}

// What an answer says of the provider that gave it.
Outcome OutcomeOf(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kInternal:
    case StatusCode::kUnknown:
    case StatusCode::kDataLoss:
    case StatusCode::kResourceExhausted:
      return Outcome::kFaulted;
    case StatusCode::kDeadlineExceeded:
      return Outcome::kLate;
    default:
      return Outcome::kAnswered;
  }
}

}  // namespace

RouteShard::RouteShard(Route& route, ClientShard& client)
    : route_(route), client_(client), probes_(*this), retry_tokens_(kMostRetryTokens) {
  tick_.shard = this;
  tick_.fire = [](TimerNode* node) noexcept { static_cast<Timer*>(node)->shard->route_.OnTick(); };
}

RouteShard::~RouteShard() {
  if (view_) ShowCounts(*view_, false);
}

void RouteShard::Start(ClientCall& call) {
  call.starting = true;
  call.deadline_timer.call = &call;
  call.deadline_timer.fire = [](TimerNode* node) noexcept {
    ClientCall& late = *static_cast<ClientCall::Timer*>(node)->call;
    late.shard->OnDeadline(late);
  };
  if (!closed_.ok()) {
    Complete(call, closed_);
  } else if (!call.request.status.ok()) {
    Complete(call, std::move(call.request.status));
  } else if (call.request.deadline <= reactor().now()) {
    OnDeadline(call);
  } else {
    reactor().SetTimer(call.deadline_timer, call.request.deadline);
    Place(call);
  }
  call.starting = false;
}

void RouteShard::Wait(ClientCall& call) {
  if (!client_.TakeWaitingPlace()) {
    return Complete(call,
                    ResourceExhausted("too many calls wait for a provider of " + route_.service()));
  }
  call.state = CallState::kWaiting;
  waiting_.PushBack(call);
}

void RouteShard::PlaceWaiting() {
  for (std::size_t left = waiting_.size(); left > 0 && !waiting_.empty(); --left) {
    ClientCall& call = *waiting_.PopFront();
    client_.GiveWaitingPlace();
    Place(call);
  }
}

void RouteShard::SetView(std::shared_ptr<const RouteView> view) {
  if (!closed_.ok()) return;
  const std::shared_ptr<const RouteView> previous = std::exchange(view_, std::move(view));
  if (previous) ShowCounts(*previous, false);
  ShowCounts(*view_, true);
  chosen_.Use(view_->snapshot.get(), client_);
  everything_.Use(view_->everything.get(), client_);
  if (previous) {
    // A provider that is new in the list was announced just now.
    for (const Provider& provider : *view_->all) {
      const bool known = std::binary_search(
          previous->all->begin(), previous->all->end(), provider,
          [](const Provider& a, const Provider& b) { return a.address < b.address; });
      if (!known) client_.Link(provider.address).ResetBackoff();
    }
  }
  client_.DropUnlisted();
  FindUnusable();
  if (cell() == 0) route_.outliers().Use(*view_);
  PlaceWaiting();
}

void RouteShard::GiveUpOnRegistry(const Status& why) {
  if (view_ || !closed_.ok()) return;
  registry_silent_ = why;
  PlaceWaiting();
}

void RouteShard::TickAt(Reactor::Clock::time_point time) {
  if (closed_.ok()) reactor().SetTimer(tick_, time);
}

void RouteShard::OnReturned(const std::vector<std::string>& addresses) {
  if (!closed_.ok()) return;
  for (const std::string& address : addresses) client_.Link(address).ResetBackoff();
}

void RouteShard::Probe(const std::vector<std::string>& addresses, bool connect) {
  if (!closed_.ok()) return;
  for (const std::string& address : addresses) {
    client_.Link(address).Probe(connect);
  }
}

void RouteShard::ReportHeard(const std::vector<std::string>& addresses) const {
  for (const std::string& address : addresses) {
    if (const ProviderLink* link = client_.Find(address)) link->ReportHeard();
  }
}

bool RouteShard::Lists(const ProviderLink& link) const noexcept {
  if (!view_) return false;
  return std::binary_search(
      view_->all->begin(), view_->all->end(), Provider{link.address()},
      [](const Provider& a, const Provider& b) { return a.address < b.address; });
}

void RouteShard::ShowCounts(const RouteView& view, bool show) const noexcept {
  const Snapshot* const sides[] = {view.snapshot.get(), view.everything.get()};
  for (std::uint32_t i = 0; i < 2; ++i) {
    if (sides[i] == nullptr) continue;
    show ? sides[i]->Attach(cell(), i) : sides[i]->Detach(cell(), i);
  }
}

void RouteShard::EndTrial(const ProviderLink& link) {
  for (EjectedProvider& one : ejected_) {
    if (!one.on_trial || one.address != link.address()) continue;
    one.on_trial = false;
    tried_.push_back(one);
    chosen_.EndTrial(link);
    everything_.EndTrial(link);
    return;
  }
}

void RouteShard::SetEjected(std::shared_ptr<const EjectedProviders> ejected) {
  if (!closed_.ok()) return;
  ejected_ = *ejected;
  std::vector<EjectedProvider> tried;
  for (EjectedProvider& one : ejected_) {
    const bool had_its_call =
        std::any_of(tried_.begin(), tried_.end(), [&](const EjectedProvider& other) {
          return one.on_trial && other.trial == one.trial && other.address == one.address;
        });
    if (!had_its_call) continue;
    one.on_trial = false;
    tried.push_back(one);
  }
  tried_ = std::move(tried);
  FindUnusable();
  PlaceWaiting();
}

void RouteShard::AskLoad(const std::vector<std::string>& addresses) {
  if (!closed_.ok()) return;
  for (const std::string& address : addresses) {
    if (ProviderLink* link = client_.Find(address)) link->AskLoad(false);
  }
}

void RouteShard::OnLoad(const ProviderLink& link, LoadReport report) {
  if (!closed_.ok() || !view_) return;
  const Snapshot& snapshot = view_->everything ? *view_->everything : *view_->snapshot;
  if (const Index i = PositionOf(snapshot, link.address()); i != kNone) {
    snapshot.endpoint(i).OnReport(report, NowNs());
  }
  probes_.OnLoad(link);
}

void RouteShard::FindUnusable() {
  const std::uint32_t panic = client_.options().outlier_ejection.panic_threshold_percent;
  // Who has more to turn to need not panic.
  chosen_.FindUnusable(ejected_, everything_.snapshot != nullptr ? 0 : panic);
  everything_.FindUnusable(ejected_, panic);
  const bool spills = everything_.snapshot != nullptr && chosen_.IsThin();
  side_ = spills ? &everything_ : &chosen_;
}

void RouteShard::OnLinkChanged(const ProviderLink& link) {
  if (!closed_.ok() || !Lists(link)) return;
  FindUnusable();
  route_.outliers().ReviewSoon();
  if (link.IsUsable()) PlaceWaiting();
}

void RouteShard::EndAttempt(ClientCall& call, Outcome outcome) noexcept {
  call.link = nullptr;
  call.connection = nullptr;
  Endpoint* endpoint = std::exchange(call.endpoint, nullptr);
  if (endpoint == nullptr) return;
  const std::uint32_t failures = endpoint->failures();  // it may vanish in OnEnd
  endpoint->OnEnd(cell(), call.attempt_began_ns, NowNs(), outcome);
  route_.outliers().OnEnd(outcome, failures + 1);
}

void RouteShard::OnAnswer(ClientCall& call, Status status) {
  EndAttempt(call, OutcomeOf(status.code()));
  if (status.ok()) retry_tokens_ = std::min(kMostRetryTokens, retry_tokens_ + kTokensPerSuccess);
  Complete(call, std::move(status));
}

void RouteShard::OnRefusedHere(ClientCall& call, Status why) {
  EndAttempt(call, Outcome::kAbandoned);
  Complete(call, std::move(why));
}

bool RouteShard::MayRetry(const ClientCall& call, bool may_have_started) noexcept {
  if (!closed_.ok() || call.attempts >= client_.options().max_attempts) return false;
  if (!may_have_started) return true;
  if (!call.request.method->idempotent || retry_tokens_ < 1) return false;
  retry_tokens_ -= 1;
  return true;
}

void RouteShard::OnAttemptFailed(ClientCall& call, Status why, bool may_have_started,
                                 Outcome outcome) {
  if (const std::string* provider = ProviderOf(call); provider != nullptr) {
    call.tried.push_back(*provider);
  }
  EndAttempt(call, outcome);
  if (!closed_.ok()) return Complete(call, closed_);
  if (!MayRetry(call, may_have_started)) {
    if (may_have_started) {
      why = Status(why.code(), std::string(why.message()) + "; the call may have run");
    }
    return Complete(call, std::move(why));
  }
  call.last_failure = std::move(why);
  Place(call);
}

void RouteShard::OnDeadline(ClientCall& call) {
  std::string why = "the deadline of " + std::string(call.request.method->full_name) + " passed";
  const std::string* provider = ProviderOf(call);
  switch (call.state) {
    case CallState::kInFlight:
      why += " while " + *provider + " worked on it";
      break;
    case CallState::kQueued:
      why += " while it waited for " + *provider;
      break;
    case CallState::kWaiting:
    case CallState::kProbing:
      why += " while it waited for a provider";
      break;
    default:
      why += " before it was started";
  }
  if (call.state == CallState::kWaiting && !view_) {
    why += "; registry " + route_.channel().registry_url() + " has not answered";
  }
  if (!call.last_failure.ok()) why += "; before that: " + std::string(call.last_failure.message());
  Withdraw(call, Outcome::kLate);
  Complete(call, DeadlineExceeded(std::move(why)));
}

void RouteShard::Cancel(ClientCall& call) {
  if (call.state == CallState::kDone) return;
  Withdraw(call, Outcome::kAbandoned);
  Complete(call, Cancelled("the caller cancelled the call"));
}

void RouteShard::Withdraw(ClientCall& call, Outcome outcome) {
  switch (call.state) {
    case CallState::kWaiting:
      waiting_.Remove(call);
      client_.GiveWaitingPlace();
      break;
    case CallState::kProbing:
      probes_.Remove(call);
      client_.GiveWaitingPlace();
      break;
    case CallState::kQueued:
      call.link->Withdraw(call);
      break;
    case CallState::kInFlight:
      call.connection->Abandon(call);
      break;
    default:
      break;
  }
  EndAttempt(call, outcome);
}

void RouteShard::Complete(ClientCall& call, Status status) {
  call.state = CallState::kDone;
  reactor().ClearTimer(call.deadline_timer);
  if (!call.starting) return call.Finished(std::move(status));
  // Never from within the function that started it.
  call.last_failure = std::move(status);
  call.start_node.call = &call;
  call.start_node.run = [](Task* task) noexcept {
    ClientCall& ended = *static_cast<ClientCall::Node*>(task)->call;
    ended.Finished(std::move(ended.last_failure));
  };
  reactor().Post(&call.start_node);
}

void RouteShard::Close(const Status& reason) {
  closed_ = reason;
  reactor().ClearTimer(tick_);
  while (ClientCall* call = waiting_.PopFront()) {
    client_.GiveWaitingPlace();
    Complete(*call, reason);
  }
  while (ClientCall* call = probes_.front()) {
    probes_.Remove(*call);
    client_.GiveWaitingPlace();
    Complete(*call, reason);
  }
  if (cell() == 0) route_.outliers().Close();
  chosen_ = {};
  everything_ = {};
  side_ = &chosen_;
}

}  // namespace weir::detail
