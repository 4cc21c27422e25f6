#include "client/discovery.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "client/channel_core.h"
#include "client/route.h"
#include "weir/log.h"

namespace weir::detail {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// How long the registry may be silent before the disk is asked.
constexpr milliseconds kDiskAfter{500};
// How often kept providers are looked at.
constexpr milliseconds kReview{500};
// How often a registry that can be reached confirms what is on the disk.
constexpr minutes kConfirm{10};

std::string Count(std::size_t providers) {
  return std::to_string(providers) + (providers == 1 ? " provider" : " providers");
}

std::int64_t SecondsSince1970() {
  return std::chrono::duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Discovery::Discovery(Route& route, ChannelCore& channel)
    : route_(route),
      channel_(channel),
      kept_(channel.options().keep_answering),
      metrics_([this](MetricsWriter& writer) { Collect(writer); }) {
  if (const std::string& directory = channel.options().provider_cache; !directory.empty()) {
    cache_.emplace(directory, channel.registry_url(), route.service());
  }
}

Status Discovery::Watch() {
  if (channel_.registry() == nullptr) return {};  // the channel's status says why
  {
    const std::lock_guard lock(mutex_);
    began_ = confirmed_ = Clock::now();
    if (cache_) {
      Result<ProviderCache::Cached> cached = cache_->Load();
      if (cached.ok()) {
        cached_ = *std::move(cached);
      } else if (cached.status().code() != StatusCode::kNotFound) {
        LogWarning(std::string(cached.status().message()));
      }
    }
    TickBy(began_ + std::min<Clock::duration>(kDiskAfter, channel_.options().registry_patience));
  }
  auto subscription = channel_.registry()->Watch(
      route_.service(), [this](ProviderList announced) { OnProviders(announced); });
  if (!subscription.ok()) return std::move(subscription).status();
  const std::lock_guard lock(mutex_);
  if (!unwatched_) subscription_.swap(*subscription);
  return {};
}

void Discovery::Unwatch() {
  // It waits for the listener, which takes the lock.
  std::unique_ptr<Subscription> ended;
  const std::lock_guard lock(mutex_);
  unwatched_ = true;
  ended.swap(subscription_);
}

void Discovery::OnProviders(const ProviderList& announced) {
  std::unique_lock lock(mutex_);
  const auto now = Clock::now();
  answered_ = true;
  cached_.reset();
  cached_since_ = 0;
  const bool kept_before = !kept_.empty();
  const ProviderList& list = kept_.Update(announced, now);
  if (!kept_.empty() && !kept_before) {
    keeping_reported_ = false;
    // One connection to each is proof enough.
    route_.OnEveryShard([all = kept_.addresses()](RouteShard& shard) {
      shard.Probe(all, /*connect=*/shard.reactor().index() == 0);
    });
    TickBy(now + kReview);
  } else if (kept_before && kept_.empty() && keeping_reported_) {
    LogInfo(channel_.registry_url() + " shows the providers of " + route_.service() + " again");
  }
  Publish(list);
  if (!kept_.returned().empty()) {
    route_.OnEveryShard([all = kept_.returned()](RouteShard& shard) { shard.OnReturned(all); });
  }
  // Nobody vouches for what is kept.
  if (!cache_ || !kept_.empty() || announced->empty()) return;
  confirmed_ = now;
  TickBy(now + kConfirm);
  lock.unlock();
  KeepOnDisk(*announced);
}

void Discovery::OnTick() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  next_tick_ = Clock::time_point::max();
  if (!answered_ && !gave_up_) OnSilence(now);
  if (!kept_.empty()) ReviewKept(now);
  if (cache_ && answered_ && kept_.empty()) {
    if (now - confirmed_ >= kConfirm && channel_.registry()->health().connected) {
      confirmed_ = now;
      cache_->Confirm();
    }
    TickBy(now + kConfirm);
  }
}

void Discovery::OnSilence(Clock::time_point now) {
  if (cached_) return UseCached();
  const auto patience = began_ + channel_.options().registry_patience;
  now >= patience ? GiveUp(now) : TickBy(patience);
}

void Discovery::UseCached() {
  const RegistryHealth health = channel_.registry()->health();
  LogWarning(channel_.registry_url() + " has not answered" +
             (health.trouble.empty() ? "" : " (" + health.trouble + ")") + "; using the " +
             Count(cached_->providers->size()) + " of " + route_.service() + " that were kept " +
             std::to_string(cached_->age.count()) + " s ago in " + cache_->path());
  cached_since_ = SecondsSince1970() - cached_->age.count();
  gave_up_ = true;  // nothing more to try
  Publish(kept_.Update(std::exchange(cached_, std::nullopt)->providers, Clock::now()));
}

void Discovery::GiveUp(Clock::time_point now) {
  gave_up_ = true;
  const std::string trouble = channel_.registry()->health().trouble;
  const auto waited = std::chrono::duration_cast<milliseconds>(now - began_).count();
  route_.GiveUpOnRegistry(Unavailable(
      "registry " + channel_.registry_url() + " has not answered for " + std::to_string(waited) +
      " ms" + (trouble.empty() ? "; see that it runs and can be reached" : ": " + trouble)));
}

void Discovery::ReviewKept(Clock::time_point now) {
  // On the first reactor, which the evidence of this tick reaches only for the next one.
  route_.OnEveryShard([all = kept_.addresses()](RouteShard& shard) { shard.ReportHeard(all); });
  const std::size_t before = kept_.size();
  const bool changed =
      kept_.Review([this](const std::string& address) { return channel_.live().Of(address); }, now);
  if (kept_.proven() > 0 && !std::exchange(keeping_reported_, true)) {
    ++keepings_;
    LogWarning(channel_.registry_url() + " suddenly shows " +
               Count(kept_.list()->size() - kept_.size()) + " of " + route_.service() + ", but " +
               std::to_string(kept_.proven()) + " more answer and stay in use");
  }
  if (changed) {
    if (keeping_reported_) {
      LogInfo(Count(before - kept_.size()) + " of " + route_.service() +
              " that the registry no longer shows went out of use; " +
              std::to_string(kept_.size()) + " stay");
    }
    Publish(kept_.list());
  }
  if (!kept_.empty()) TickBy(now + kReview);
}

void Discovery::KeepOnDisk(const std::vector<Provider>& providers) {
  const Status status = cache_->Store(providers);
  if (!status.ok() && !cache_fault_reported_) LogWarning(std::string(status.message()));
  cache_fault_reported_ = !status.ok();
}

void Discovery::Publish(const ProviderList& providers) {
  in_use_ = providers->size();
  kept_count_ = kept_.size();
  route_.Use(providers);
}

void Discovery::TickBy(Clock::time_point time) {
  if (time >= next_tick_) return;
  next_tick_ = time;
  route_.OnShard(0, [time](RouteShard& shard) { shard.TickAt(time); });
}

void Discovery::Collect(MetricsWriter& writer) const {
  const std::string& url = channel_.registry_url();
  const std::string& service = route_.service();
  writer.MaxGauge("weir_channel_providers", "Providers in use, those without weight included",
                  {{"registry", url}, {"service", service}}, static_cast<double>(in_use_));
  writer.MaxGauge("weir_channel_kept_providers", "Those of them that the registry no longer shows",
                  {{"registry", url}, {"service", service}}, static_cast<double>(kept_count_));
  writer.Counter("weir_channel_keepings_total",
                 "Times that a sudden loss of providers was not believed",
                 {{"registry", url}, {"service", service}}, keepings_);
  const std::int64_t since = cached_since_;
  writer.MaxGauge("weir_channel_cache_age_seconds",
                  "Age of the list from the disk that is in use; 0 when the registry has answered",
                  {{"registry", url}, {"service", service}},
                  since == 0 ? 0 : static_cast<double>(SecondsSince1970() - since));
}

}  // namespace weir::detail
