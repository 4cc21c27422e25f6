#include "client/outlier_watch.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "client/channel_core.h"
#include "client/route.h"
#include "weir/log.h"

namespace weir::detail {
namespace {

constexpr std::chrono::milliseconds kReview{100};
constexpr std::chrono::milliseconds kLeastPause{5};

}  // namespace

OutlierWatch::OutlierWatch(Route& route, ChannelCore& channel)
    : route_(route),
      channel_(channel),
      enabled_(channel.options().outlier_ejection.enabled),
      alarm_(enabled_ ? channel.options().outlier_ejection.consecutive_failures : 0),
      detector_(channel.options().outlier_ejection,
                std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()),
      awake_(true),
      metrics_([this](MetricsWriter& writer) { Collect(writer); }) {
  timer_.watch = this;
  timer_.fire = [](TimerNode* node) noexcept { static_cast<Timer*>(node)->watch->Review(); };
}

void OutlierWatch::Use(const RouteView& view) {
  if (!enabled_ || closed_) return;
  providers_ = view.everything ? view.everything : view.snapshot;
  detector_.Use(providers_);
  if (told_) Tell();
  Reactor& reactor = route_.shard(0).reactor();
  if (providers_->size() < 2) {  // nobody can be ejected
    reactor.ClearTimer(timer_);
    awake_.store(true, std::memory_order_relaxed);
  } else {
    awake_.store(true, std::memory_order_relaxed);
    reactor.SetTimer(timer_, reactor.now() + kReview);
  }
}

void OutlierWatch::Close() {
  closed_ = true;
  route_.shard(0).reactor().ClearTimer(timer_);
  awake_.store(true, std::memory_order_relaxed);
  trials_.store(false, std::memory_order_relaxed);
}

void OutlierWatch::ReviewSoon() noexcept {
  if (!enabled_ || asked_.exchange(true, std::memory_order_relaxed)) return;
  awake_.store(true, std::memory_order_relaxed);
  // Never from within a call's own steps: the review changes what they look at.
  route_.OnShard(0, [this](RouteShard& shard) {
    asked_.store(false, std::memory_order_relaxed);
    if (closed_ || !providers_ || providers_->size() < 2) return;
    Reactor& reactor = shard.reactor();
    const TimePoint due = std::max(reactor.now(), last_review_ + kLeastPause);
    if (due <= reactor.now()) return Review();
    reactor.SetTimer(timer_, due);
  });
}

void OutlierWatch::Review() {
  if (closed_ || !providers_) return;
  Reactor& reactor = route_.shard(0).reactor();
  last_review_ = reactor.now();
  const bool changed = detector_.Review(last_review_.time_since_epoch().count(), [this](Index i) {
    return channel_.live().Of(providers_->provider(i).address).connected;
  });
  for (const OutlierDetector::Event& event : detector_.events()) {
    const std::string provider = "provider " + event.address + " of " + route_.service();
    if (event.ejected) {
      ejections_[static_cast<std::size_t>(event.rule)].fetch_add(1, std::memory_order_relaxed);
      LogWarning(provider + " gets no calls (" + std::string(OutlierDetector::NameOf(event.rule)) +
                 "): " + event.why);
    } else {
      LogInfo(provider + " is back: " + event.why);
    }
  }
  if (changed) Tell();
  if (!detector_.to_ask().empty()) {
    std::vector<std::string> addresses;
    for (const Index i : detector_.to_ask()) addresses.push_back(providers_->provider(i).address);
    route_.OnEveryShard([addresses](RouteShard& shard) { shard.AskLoad(addresses); });
  }
  const bool rests = detector_.at_rest();
  awake_.store(!rests, std::memory_order_relaxed);
  if (!rests) reactor.SetTimer(timer_, last_review_ + kReview);
}

void OutlierWatch::Tell() {
  auto list = std::make_shared<EjectedProviders>();
  for (const Index i : detector_.ejected()) {
    list->push_back({.address = providers_->provider(i).address});
  }
  for (const Index i : detector_.on_trial()) {
    list->push_back({.address = providers_->provider(i).address,
                     .on_trial = true,
                     .trial = detector_.TrialOf(i)});
  }
  std::sort(list->begin(), list->end(), [](const EjectedProvider& a, const EjectedProvider& b) {
    return a.address < b.address;
  });
  told_ = !list->empty();
  trials_.store(!detector_.on_trial().empty(), std::memory_order_relaxed);
  ejected_count_.store(static_cast<std::uint32_t>(list->size()), std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    ejected_ = list;
  }
  route_.OnEveryShard([list](RouteShard& shard) { shard.SetEjected(list); });
}

bool OutlierWatch::IsEjected(std::string_view address) const {
  std::shared_ptr<const EjectedProviders> list;
  {
    const std::lock_guard lock(mutex_);
    list = ejected_;
  }
  return list && std::any_of(list->begin(), list->end(),
                             [&](const EjectedProvider& one) { return one.address == address; });
}

void OutlierWatch::Collect(MetricsWriter& writer) const {
  const std::string& url = channel_.registry_url();
  const std::string& service = route_.service();
  writer.MaxGauge("weir_channel_ejected_providers",
                  "Providers that get no calls because they fail more than the others",
                  {{"registry", url}, {"service", service}},
                  static_cast<double>(ejected_count_.load(std::memory_order_relaxed)));
  for (std::size_t i = 0; i < ejections_.size(); ++i) {
    const auto rule = static_cast<OutlierDetector::Rule>(i);
    writer.Counter(
        "weir_channel_ejections_total", "Times that a provider was ejected",
        {{"registry", url}, {"service", service}, {"rule", OutlierDetector::NameOf(rule)}},
        ejections_[i].load(std::memory_order_relaxed));
  }
}

}  // namespace weir::detail
