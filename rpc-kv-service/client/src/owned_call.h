// OwnedCall: one request on its way to the owner of its keys.
#pragma once

#include <chrono>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "client_core.h"
#include "weir/buffer.h"
#include "weir/call_options.h"
#include "weir/status.h"

namespace weir::kv {

// `Method` names the messages and starts a call of the stub:
//   using Request, Reply; static void Start(stub, request, options, handler); static std::string
//   What(request).
// `Done` is called once with Result<Reply> and the reply's attachment.
template <class Method, class Done>
class OwnedCall : public std::enable_shared_from_this<OwnedCall<Method, Done>> {
 public:
  using Request = typename Method::Request;
  using Reply = typename Method::Reply;
  using Clock = CallOptions::Clock;

  OwnedCall(std::shared_ptr<ClientCore> core, Request request, Buffer attachment, Done done)
      : core_(std::move(core)),
        deadline_(Clock::now() + core_->timeout()),
        request_(std::move(request)),
        attachment_(std::move(attachment)),
        done_(std::move(done)) {}

  void Try() {
    auto to = core_->Route(request_);
    if (!to.ok()) return Finish(std::move(to).status());
    owner_ = std::move(to->address);
    request_.set_epoch(to->epoch);
    CallOptions options = CallOptions().WithProvider(owner_).WithTimeout(deadline_ - Clock::now());
    if (!attachment_.empty()) (void)std::move(options).WithAttachment(attachment_);
    (void)std::move(options).ReceiveAttachment(&received_);
    Method::Start(core_->stub(), request_, std::move(options),
                  [self = this->shared_from_this()](Result<Reply> reply) {
                    self->OnReply(std::move(reply));
                  });
  }

 private:
  void OnReply(Result<Reply> reply) {
    if (!reply.ok() && IsStale(reply.status()) && retries_ < std::size(kRetryDelays)) {
      return core_->retries().Add(kRetryDelays[retries_++],
                                  [self = this->shared_from_this()](Status status) {
                                    if (!status.ok()) return self->Finish(std::move(status));
                                    self->Try();
                                  });
    }
    if (!reply.ok()) {
      reply = ExplainFailure(reply.status(), Method::What(request_), owner_);
    }
    Finish(std::move(reply));
  }
  void Finish(Result<Reply> reply) { done_(std::move(reply), received_); }

  const std::shared_ptr<ClientCore> core_;
  const Clock::time_point deadline_;
  Request request_;
  const Buffer attachment_;
  Done done_;
  std::string owner_;
  Buffer received_;
  std::size_t retries_ = 0;
};

template <class Method, class Done>
void StartOwned(const std::shared_ptr<ClientCore>& core, typename Method::Request request,
                Buffer attachment, Done done) {
  std::make_shared<OwnedCall<Method, Done>>(core, std::move(request), std::move(attachment),
                                            std::move(done))
      ->Try();
}

}  // namespace weir::kv
