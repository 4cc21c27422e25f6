// The part of a RouteShard that chooses a provider for a call.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "client/channel_core.h"
#include "client/route.h"
#include "weir/pick_record.h"

namespace weir::detail {
namespace {

// What strategies may know of it.
RequestView RequestOf(const ClientCall& call) noexcept {
  RequestView request;
  request.method = call.request.method->full_name;
  request.key = call.request.key;
  request.key_hash = call.request.key_hash;
  request.has_key = call.request.has_key;
  return request;
}

}  // namespace

void RouteShard::Place(ClientCall& call) {
  if (!view_) {
    if (registry_silent_.ok() || call.request.options.wait_for_ready()) return Wait(call);
    return Complete(call, registry_silent_);
  }
  if (const auto* rare = call.request.options.rare(); rare != nullptr && !rare->provider.empty()) {
    return PlacePinned(call, rare->provider);
  }
  const Draw draw{.sequence = NextSequence(), .random = client_.Random()};
  if (!ProbeFirst(call, draw)) PlaceBy(call, draw);
}

void RouteShard::PlaceBy(ClientCall& call, Draw draw) {
  const RouteSide* side = side_;
  Index picked = Pick(call, *side, true, draw);
  if (picked == kNone && side == &chosen_ && everything_.snapshot != nullptr) {
    side = &everything_;
    picked = Pick(call, *side, true, draw);
  }
  if (picked == kNone && !call.tried.empty()) picked = Pick(call, *side, false, draw);
  if (picked == kNone) {
    if (call.request.options.wait_for_ready()) return Wait(call);
    return Complete(call, NoneUsable());
  }
  ProviderLink& link = *side->links[picked];
  BeginAttempt(call, side->snapshot->endpoint(picked));
  if (!side->on_trial.empty()) EndTrial(link);
  link.Submit(call);
}

bool RouteShard::ProbeFirst(ClientCall& call, Draw draw) {
  const LoadBalance::Probe probe = route_.channel().load_balance().strategy.probe;
  if (probe == nullptr || call.probed) return false;
  const RouteSide& side = *side_;
  std::array<Index, kMaxProbes> positions{};
  const std::size_t wanted =
      probe(RequestOf(call), *side.snapshot, ContextOf(call, side, true, draw), positions);
  std::array<ProviderLink*, kMaxProbes> links{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < std::min(wanted, kMaxProbes); ++i) {
    if (positions[i] >= side.links.size()) continue;
    ProviderLink* const link = side.links[positions[i]];
    if (std::find(links.begin(), links.begin() + count, link) == links.begin() + count) {
      links[count++] = link;
    }
  }
  // A link that has to connect is not waited for, and connecting may change the side.
  const auto asked = std::partition(links.begin(), links.begin() + count,
                                    [](ProviderLink* link) { return link->AskLoad(true); });
  const auto left = call.request.deadline - reactor().now();
  const auto patience =
      std::min<std::chrono::nanoseconds>(client_.options().probe_timeout, left / 4);
  if (asked == links.begin() || patience.count() <= 0 || !client_.TakeWaitingPlace()) return false;
  call.probed = true;
  call.state = CallState::kProbing;
  probes_.Add(call, {links.begin(), asked}, reactor().now() + patience, draw);
  return true;
}

void RouteShard::PlaceProbed(ClientCall& call, Draw draw) {
  client_.GiveWaitingPlace();
  call.state = CallState::kNew;
  PlaceBy(call, draw);
}

void RouteShard::BeginAttempt(ClientCall& call, Endpoint& endpoint) {
  call.endpoint = &endpoint;
  call.attempt_began_ns = NowNs();
  endpoint.OnStart(cell(), call.attempt_began_ns);
  ++call.attempts;
  route_.outliers().OnStart();
}

void RouteShard::PlacePinned(ClientCall& call, const std::string& address) {
  const auto& all = *view_->all;
  const auto found =
      std::lower_bound(all.begin(), all.end(), address,
                       [](const Provider& p, const std::string& a) { return p.address < a; });
  if (found == all.end() || found->address != address) {
    if (call.request.options.wait_for_ready()) return Wait(call);
    return Complete(
        call, Unavailable("provider " + address + " of " + route_.service() + " is not alive"));
  }
  ProviderLink& link = client_.Link(address);
  if (!link.IsUsable()) {
    if (call.request.options.wait_for_ready()) return Wait(call);
    return Complete(call, link.last_failure());
  }
  const Snapshot& snapshot = view_->everything ? *view_->everything : *view_->snapshot;
  if (const Index i = PositionOf(snapshot, address); i != kNone) {
    BeginAttempt(call, snapshot.endpoint(i));
  } else {  // it is draining
    ++call.attempts;
  }
  link.Submit(call);
}

PickContext RouteShard::ContextOf(const ClientCall& call, const RouteSide& side, bool avoid_tried,
                                  Draw draw) {
  const Snapshot& snapshot = *side.snapshot;
  PickContext context;
  context.sequence = draw.sequence;
  context.random = draw.random;
  context.now_ns = NowNs();
  context.excluded = side.unusable;
  if (avoid_tried && !call.tried.empty()) {
    excluded_ = side.unusable;
    for (Index i = 0; i < snapshot.size(); ++i) {
      const std::string& address = snapshot.provider(i).address;
      if (std::find(call.tried.begin(), call.tried.end(), address) != call.tried.end()) {
        excluded_.push_back(i);
      }
    }
    context.excluded = excluded_;
  }
  return context;
}

Index RouteShard::Pick(const ClientCall& call, const RouteSide& side, bool avoid_tried, Draw draw) {
  const Snapshot& snapshot = *side.snapshot;
  const RequestView request = RequestOf(call);
  const PickContext context = ContextOf(call, side, avoid_tried, draw);
  const Index picked = Ask(request, snapshot, context);
  // A strategy of the user's own may not honour what is excluded, or may be wrong.
  if (picked >= snapshot.size() || IsExcluded(context, picked)) return kNone;
  return picked;
}

Index RouteShard::Ask(const RequestView& request, const Snapshot& snapshot,
                      const PickContext& context) const {
  const ConfiguredLoadBalance& balance = route_.channel().load_balance();
  const auto& log = client_.options().pick_log;
  if (!log) return balance.Pick(request, snapshot, context);
  const PickRecord record = RecordPick(balance, request, snapshot, context);
  log(record);
  return record.picked;
}

std::uint64_t RouteShard::NextSequence() noexcept {
  if (sequence_ == sequence_end_) {
    sequence_ = route_.ReserveSequence();
    sequence_end_ = sequence_ + 64;
  }
  return sequence_++;
}

Status RouteShard::NoneUsable() const {
  const std::string& url = route_.channel().registry_url();
  if (view_->all->empty()) {
    return Unavailable("no provider of " + route_.service() + " is registered at " + url);
  }
  if (view_->snapshot->size() == 0) {
    return Unavailable("all providers of " + route_.service() + " at " + url + " are draining");
  }
  std::string why = "no provider of " + route_.service() + " can be reached";
  for (const Index i : side_->unusable) {
    const ProviderLink& link = *side_->links[i];
    if (link.IsUsable()) continue;  // it is ejected
    why += ": " + std::string(link.last_failure().message());
    break;
  }
  return Unavailable(std::move(why));
}

}  // namespace weir::detail
