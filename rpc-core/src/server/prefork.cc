#include "server/prefork.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "base/log_prefix.h"
#include "server/child_process.h"
#include "weir/log.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = ChildProcess::Clock;

// A child that lived shorter than this is not started again at once.
constexpr seconds kLongLife{1};
constexpr milliseconds kFirstDelay{50};
constexpr milliseconds kLongestDelay{1000};
// No worker has ever come up, and one died so often: it will not get better.
constexpr int kVainStarts = 5;
constexpr seconds kWithdrawPatience{5};
// Beyond drain_timeout, for what comes after it.
constexpr seconds kExitPatience{2};

// The signals of the master while it runs, as a descriptor.
class MasterSignals {
 public:
  MasterSignals() {
    sigset_t ours;
    ::sigemptyset(&ours);
    for (const int signal : kSignals) {
      // Who ignores a signal does not get it through a descriptor either.
      struct sigaction standard {};
      standard.sa_handler = SIG_DFL;
      ::sigaction(signal, &standard, &actions_[Index(signal)]);
      ::sigaddset(&ours, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &ours, &before_);
    descriptor_ = ::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~MasterSignals() {
    ::close(descriptor_);
    for (const int signal : kSignals) ::sigaction(signal, &actions_[Index(signal)], nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  MasterSignals(const MasterSignals&) = delete;
  MasterSignals& operator=(const MasterSignals&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  // 0 if there is none.
  int Next() {
    signalfd_siginfo info{};
    return ::read(descriptor_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                  : 0;
  }

 private:
  static constexpr int kSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
  static std::size_t Index(int signal) {
    return static_cast<std::size_t>(std::ranges::find(kSignals, signal) - std::begin(kSignals));
  }
  struct sigaction actions_[std::size(kSignals)] = {};
  sigset_t before_{};
  int descriptor_ = -1;
};

class Master {
 public:
  explicit Master(const PreforkWork& work) : work_(work), slots_(work.workers) {}
  Status Run();

 private:
  struct Slot {
    ChildProcess worker;
    ChildProcess successor;  // of a rolling restart
    int failures = 0;        // deaths in a row without a long life
    Clock::time_point start_at{};
  };
  enum class Phase { kServing, kWithdrawing, kNotice, kDraining, kEnded };

  void OnSignal(int signal);
  void OnTime();
  // Calls `visit` for every child there is.
  template <class Visit>
  void ForEachChild(Visit visit);
  void Reap();
  std::string NameOf(const Slot& slot, const ChildProcess& child) const;

  Result<ChildProcess> StartWorker(std::uint32_t slot);
  Result<ChildProcess> StartRegistrar();
  Result<ChildProcess> Fork(const ChildProcess::Main& main);
  void OnReady();
  void OnWorkerDied(Slot& slot, const std::string& how, const ChildProcess& dead);
  void OnSuccessorDied(const std::string& how, const ChildProcess& dead);
  void OnRegistrarDied(const std::string& how, const ChildProcess& dead);
  static milliseconds DelayAfter(int* failures, const ChildProcess& dead);
  void Roll();

  void GiveUp(Status why);
  void BeginLeaving();
  void DrainWorkers();
  void EndIfAlone();

  const PreforkWork& work_;
  MasterSignals signals_;
  std::vector<Slot> slots_;
  std::vector<ChildProcess> leaving_;
  ChildProcess registrar_;
  int registrar_failures_ = 0;
  Clock::time_point registrar_at_{};
  bool announced_ = false;
  bool all_came_up_ = false;
  bool any_came_up_ = false;
  std::vector<std::string> services_;
  std::optional<std::uint32_t> rolling_;  // the slot whose successor is awaited
  bool roll_again_ = false;
  Phase phase_ = Phase::kServing;
  Clock::time_point phase_until_ = Clock::time_point::max();
  Status result_;
};

template <class Visit>
void Master::ForEachChild(Visit visit) {
  for (Slot& slot : slots_) {
    if (slot.worker) visit(slot.worker);
    if (slot.successor) visit(slot.successor);
  }
  for (ChildProcess& child : leaving_) {
    if (child) visit(child);
  }
  if (registrar_) visit(registrar_);
}

Status Master::Run() {
  LogInfo("master " + std::to_string(::getpid()) + " of " + std::to_string(slots_.size()) +
          " worker processes listens on " + work_.address);
  while (phase_ != Phase::kEnded) {
    OnTime();
    std::vector<pollfd> sources{{signals_.descriptor(), POLLIN, 0}};
    Clock::time_point next = phase_until_;
    if (phase_ == Phase::kServing) {
      for (const Slot& slot : slots_) {
        if (!slot.worker) next = std::min(next, slot.start_at);
      }
      if (all_came_up_ && work_.announce && !registrar_) next = std::min(next, registrar_at_);
    }
    ForEachChild([&](ChildProcess& child) {
      if (child.pipe() >= 0) sources.push_back({child.pipe(), POLLIN, 0});
    });
    int timeout = -1;
    if (next != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }
    if (phase_ != Phase::kEnded) ::poll(sources.data(), sources.size(), timeout);
    while (const int signal = signals_.Next()) OnSignal(signal);
    ForEachChild([](ChildProcess& child) { child.Listen(); });
    OnReady();
    Reap();
  }
  return result_;
}

void Master::OnSignal(int signal) {
  if (signal == SIGCHLD || phase_ != Phase::kServing) return;
  if (signal != SIGHUP) return BeginLeaving();
  if (rolling_) {
    roll_again_ = true;
    return;
  }
  LogInfo("replacing the workers of " + work_.address + " one by one");
  rolling_ = 0;
  Roll();
}

void Master::OnTime() {
  const Clock::time_point now = Clock::now();
  if (phase_ == Phase::kServing) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.worker || slot.start_at > now) continue;
      Result<ChildProcess> worker = StartWorker(i);
      if (worker.ok()) {
        slot.worker = *std::move(worker);
      } else {
        if (!any_came_up_) return GiveUp(std::move(worker).status());
        LogError(std::string(worker.status().message()));
        slot.start_at = now + kLongestDelay;
      }
    }
    if (all_came_up_ && work_.announce && !registrar_ && registrar_at_ <= now) {
      Result<ChildProcess> registrar = StartRegistrar();
      if (registrar.ok()) registrar_ = *std::move(registrar);
      registrar_at_ = now + kLongestDelay;
    }
    return;
  }
  if (phase_ == Phase::kWithdrawing && !registrar_) {
    phase_ = Phase::kNotice;
    phase_until_ = now + work_.drain_notice;
  }
  if (phase_until_ > now) return;
  if (phase_ == Phase::kWithdrawing) {
    registrar_.Signal(SIGKILL);
    phase_until_ = Clock::time_point::max();
  } else if (phase_ == Phase::kNotice) {
    DrainWorkers();
  } else if (phase_ == Phase::kDraining) {
    int killed = 0;
    ForEachChild([&](ChildProcess& child) {
      child.Signal(SIGKILL);
      ++killed;
    });
    if (result_.ok()) {
      result_ = DeadlineExceeded(std::to_string(killed) + " processes of " + work_.address +
                                 " did not end in time and were killed");
    }
    phase_until_ = Clock::time_point::max();
  }
}

Result<ChildProcess> Master::Fork(const ChildProcess::Main& main) {
  std::vector<int> unwanted{signals_.descriptor()};
  ForEachChild([&](ChildProcess& child) {
    if (child.pipe() >= 0) unwanted.push_back(child.pipe());
  });
  return ChildProcess::Start(main, unwanted);
}

Result<ChildProcess> Master::StartWorker(std::uint32_t slot) {
  return Fork([this, slot](ChildReport report) {
    SetLogPrefix("worker " + std::to_string(slot) + " (" + std::to_string(::getpid()) + "): ");
    const Result<std::vector<std::string>> services = work_.serve(slot);
    if (!services.ok()) {
      report.Failed(services.status());
      return 1;
    }
    report.Ready(*services);
    work_.drain(WaitForSigterm());
    return 0;
  });
}

Result<ChildProcess> Master::StartRegistrar() {
  return Fork([this](ChildReport report) {
    SetLogPrefix("registrar (" + std::to_string(::getpid()) + "): ");
    if (Status status = work_.announce(services_); !status.ok()) {
      report.Failed(status);
      return 1;
    }
    report.Ready({});
    WaitForSigterm();
    work_.withdraw();
    return 0;
  });
}

std::string Master::NameOf(const Slot& slot, const ChildProcess& child) const {
  return "worker " + std::to_string(&slot - slots_.data()) + " (" + std::to_string(child.pid()) +
         ")";
}

void Master::OnReady() {
  if (phase_ != Phase::kServing) return;
  if (rolling_ && slots_[*rolling_].successor.ready()) {
    Slot& slot = slots_[*rolling_];
    slot.worker.Signal(SIGTERM);
    leaving_.push_back(std::exchange(slot.worker, std::exchange(slot.successor, {})));
    ++*rolling_;
    Roll();
  }
  announced_ = announced_ || registrar_.ready();
  for (const Slot& slot : slots_) {
    if (!slot.worker.ready()) continue;
    any_came_up_ = true;
    services_ = slot.worker.lines();
  }
  if (all_came_up_) return;
  all_came_up_ = std::ranges::all_of(slots_, [](const Slot& slot) { return slot.worker.ready(); });
  if (all_came_up_) {
    LogInfo("serving on " + work_.address + " with " + std::to_string(slots_.size()) +
            " worker processes");
  }
}

void Master::Roll() {
  while (rolling_) {
    if (*rolling_ == slots_.size()) {
      LogInfo("the workers of " + work_.address + " have been replaced");
      rolling_.reset();
      if (std::exchange(roll_again_, false)) rolling_ = 0;
      continue;
    }
    if (!slots_[*rolling_].worker) {  // about to be started anyway
      ++*rolling_;
      continue;
    }
    Result<ChildProcess> successor = StartWorker(*rolling_);
    if (successor.ok()) {
      slots_[*rolling_].successor = *std::move(successor);
      return;
    }
    LogError("the workers of " + work_.address +
             " are not replaced: " + std::string(successor.status().message()));
    rolling_.reset();
    roll_again_ = false;
  }
}

void Master::Reap() {
  bool in_order = false;
  for (Slot& slot : slots_) {
    const std::string name = NameOf(slot, slot.worker);
    if (const auto how = slot.worker.Reap(&in_order)) {
      const ChildProcess dead = std::exchange(slot.worker, {});
      if (phase_ == Phase::kServing) OnWorkerDied(slot, name + " " + *how, dead);
    }
    const std::string successor = NameOf(slot, slot.successor);
    if (const auto how = slot.successor.Reap(&in_order)) {
      const ChildProcess dead = std::exchange(slot.successor, {});
      if (phase_ == Phase::kServing) OnSuccessorDied(successor + " " + *how, dead);
    }
  }
  for (ChildProcess& child : leaving_) {
    const std::string name = "worker " + std::to_string(child.pid());
    const auto how = child.Reap(&in_order);
    if (how && !in_order) LogWarning(name + ", which was draining, " + *how);
  }
  std::erase_if(leaving_, [](const ChildProcess& child) { return !child; });
  if (const auto how = registrar_.Reap(&in_order)) {
    const ChildProcess dead = std::exchange(registrar_, {});
    if (phase_ == Phase::kServing) OnRegistrarDied(*how, dead);
  }
  if (phase_ != Phase::kDraining) return;
  EndIfAlone();
}

void Master::EndIfAlone() {
  bool alone = true;
  ForEachChild([&](ChildProcess&) { alone = false; });
  if (alone) phase_ = Phase::kEnded;
}

milliseconds Master::DelayAfter(int* failures, const ChildProcess& dead) {
  if (dead.ready() && Clock::now() - dead.since() >= kLongLife) *failures = 0;
  const int before = (*failures)++;
  if (before == 0 && dead.ready()) return milliseconds(0);
  return std::min(kLongestDelay, kFirstDelay * (1 << std::min(before, 10)));
}

void Master::OnWorkerDied(Slot& slot, const std::string& how, const ChildProcess& dead) {
  const std::string why = dead.failure().empty() ? how : how + ": " + dead.failure();
  if (!any_came_up_) {
    // A failure it could name is none that passes.
    if (!dead.failure().empty()) return GiveUp(FailedPrecondition(dead.failure()));
    if (slot.failures + 1 >= kVainStarts) {
      return GiveUp(Unavailable("no worker of " + work_.address + " comes up; the last, " + how +
                                " before it was ready"));
    }
  }
  const milliseconds delay = DelayAfter(&slot.failures, dead);
  slot.start_at = Clock::now() + delay;
  LogWarning(why + "; starting another" +
             (delay.count() > 0 ? " in " + std::to_string(delay.count()) + " ms" : ""));
}

void Master::OnSuccessorDied(const std::string& how, const ChildProcess& dead) {
  LogError("the workers of " + work_.address + " are not replaced, those that serve stay: " + how +
           " before it was ready" + (dead.failure().empty() ? "" : ": " + dead.failure()));
  rolling_.reset();
  roll_again_ = false;
}

void Master::OnRegistrarDied(const std::string& how, const ChildProcess& dead) {
  if (!announced_ && !dead.failure().empty()) return GiveUp(InvalidArgument(dead.failure()));
  const milliseconds delay = DelayAfter(&registrar_failures_, dead);
  registrar_at_ = Clock::now() + delay;
  LogWarning("the registrar of " + work_.address + " " + how + "; starting another");
}

void Master::GiveUp(Status why) {
  result_ = std::move(why);
  BeginLeaving();
}

void Master::BeginLeaving() {
  LogInfo("draining the workers of " + work_.address);
  if (!registrar_) return DrainWorkers();
  phase_ = Phase::kWithdrawing;
  phase_until_ = Clock::now() + kWithdrawPatience;
  registrar_.Signal(SIGTERM);
}

void Master::DrainWorkers() {
  phase_ = Phase::kDraining;
  phase_until_ = Clock::now() + work_.drain_timeout + kExitPatience;
  work_.close_sockets();
  ForEachChild([](ChildProcess& child) { child.Signal(SIGTERM); });
  EndIfAlone();
}

}  // namespace

Status RunPrefork(const PreforkWork& work) {
  if (const int threads = CountThreads(); threads > 1) {
    return FailedPrecondition(
        "thread model prefork needs to fork, and this process has " + std::to_string(threads) +
        " threads, which would not survive it; make what has threads (channels, engines, "
        "registries) in Server::OnWorkerStart");
  }
  return Master(work).Run();
}

}  // namespace weir
