#include "lab/live_server.h"

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <optional>
#include <utility>

#include "lab.weir.h"
#include "lab/server_model.h"
#include "weir/server.h"

namespace weir::lab {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

SteadyTime AtNanos(Nanos time) {
  return SteadyTime(std::chrono::nanoseconds(time));
}

}  // namespace

Nanos SteadyNow() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

// Of the reactor's thread alone, but for construction and the end.
class LiveServer::Core {
 public:
  Core(std::shared_ptr<Runtime> runtime, std::uint32_t number, const ServerGroup& group,
       std::uint64_t seed)
      : executor_(runtime->executor()),
        timer_(executor_),
        model_(number, group, seed),
        server_({.runtime = std::move(runtime), .load_slots = group.slots}) {
    server_.Add(std::make_unique<Service>(*this));
  }

  Server& server() noexcept { return server_; }
  const asio::any_io_executor& executor() const noexcept { return executor_; }

  void Begin(Nanos start) {
    model_.Begin(start, queue_);
    Catch();
  }

  void Close() {
    closed_ = true;
    timer_.cancel();
    for (std::optional<Reply<Done>>& reply : replies_) reply.reset();
  }
  std::vector<Nanos> TakeArrivals() { return std::move(arrivals_); }

 private:
  class Service final : public Worker::Service<Service> {
   public:
    explicit Service(Core& core) : core_(core) {}
    void Do(ServerContext& context, const Task& task, Reply<Done> reply) {
      core_.Accept(context, task.work_ns(), std::move(reply));
    }

   private:
    Core& core_;
  };

  void Accept(ServerContext& context, double work_ns, Reply<Done> reply) {
    const Nanos now = SteadyNow();
    arrivals_.push_back(now);
    CatchUp(now);
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(replies_.size()));
      replies_.emplace_back();
    }
    const std::uint32_t call = free_.back();
    free_.pop_back();
    replies_[call] = std::move(reply);
    const Nanos deadline = context.deadline()
                               ? context.deadline()->time_since_epoch().count()
                               : now + std::chrono::nanoseconds(std::chrono::hours(1)).count();
    const Work work{.call = call, .nanos = work_ns, .deadline = deadline};
    if (!model_.Accept(work, now, queue_)) Answer(call, Unavailable("this server is stopped"));
    SetTimer();
  }

  void Answer(std::uint32_t call, Status status) {
    std::optional<Reply<Done>> reply = std::exchange(replies_[call], std::nullopt);
    free_.push_back(call);
    if (!reply) return;
    if (status.ok()) {
      (*reply)(Done());
    } else {
      (*reply)(std::move(status));
    }
  }

  // What should have happened by now happens at the times when it should have, so that a late timer
  // delays answers and nothing else.
  void CatchUp(Nanos now) {
    Event event;
    while (queue_.NextTime() <= now && queue_.Pop(&event)) {
      if (event.kind == EventKind::kServerState) {
        model_.Change(event, queue_, ended_);
        for (const std::uint32_t call : ended_) Answer(call, Unavailable("this server stopped"));
      } else {
        const Work done = model_.Finish(event, queue_, ended_);
        for (const std::uint32_t call : ended_)
          Answer(call, DeadlineExceeded("it waited too long"));
        if (done.call != kNoCall) {
          Answer(done.call, done.fails ? Internal("this server fails") : Status());
        }
      }
      ended_.clear();
    }
  }

  void Catch() {
    if (closed_) return;
    CatchUp(SteadyNow());
    SetTimer();
  }

  void SetTimer() {
    const Nanos next = queue_.NextTime();
    if (next == timer_at_) return;
    timer_at_ = next;
    timer_.expires_at(AtNanos(next));
    timer_.async_wait([this](const asio::error_code& error) {
      if (error) return;
      timer_at_ = 0;
      Catch();
    });
  }

  const asio::any_io_executor executor_;
  asio::steady_timer timer_;
  Nanos timer_at_ = 0;
  ServerModel model_;
  EventQueue queue_;
  std::vector<std::optional<Reply<Done>>> replies_;  // by call
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> ended_;
  std::vector<Nanos> arrivals_;
  bool closed_ = false;
  Server server_;
};

LiveServer::LiveServer() = default;

Result<std::unique_ptr<LiveServer>> LiveServer::Start(std::shared_ptr<Runtime> runtime,
                                                      std::uint32_t number,
                                                      const ServerGroup& group,
                                                      std::uint64_t seed) {
  std::unique_ptr<LiveServer> made(new LiveServer);
  made->core_ = std::make_unique<Core>(std::move(runtime), number, group, seed);
  if (Status status = made->core_->server().Start(); !status.ok()) return status;
  made->address_ = made->core_->server().address();
  return made;
}

LiveServer::~LiveServer() {
  if (core_) Stop();
}

void LiveServer::Begin(Nanos start) {
  asio::post(core_->executor(), [this, start] { core_->Begin(start); });
}

std::vector<Nanos> LiveServer::Stop() {
  std::promise<void> closed;
  asio::post(core_->executor(), [&] {
    core_->Close();
    closed.set_value();
  });
  closed.get_future().wait();
  core_->server().Stop();
  // Handlers of the timer that are already on their way still look at the core.
  std::promise<void> idle;
  asio::post(core_->executor(), [&] { idle.set_value(); });
  idle.get_future().wait();
  std::vector<Nanos> arrivals = core_->TakeArrivals();
  core_.reset();
  return arrivals;
}

}  // namespace weir::lab
