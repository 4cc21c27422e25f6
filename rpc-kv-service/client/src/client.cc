#include "weir/kv/client.h"

#include <future>
#include <utility>

#include "client_core.h"
#include "merged_scan.h"
#include "methods.h"
#include "owned_call.h"
#include "weir/kv/limits.h"

namespace weir::kv {
namespace {

// Completes with the Status of a write.
template <class Method>
void StartWrite(const std::shared_ptr<ClientCore>& core, typename Method::Request request,
                Buffer attachment, detail::Completion<Status> done) {
  StartOwned<Method>(core, std::move(request), std::move(attachment),
                     [done = std::move(done)](auto reply, Buffer&) mutable {
                       done(reply.ok() ? Status() : std::move(reply).status());
                     });
}

}  // namespace

namespace detail {

void StartCall(const std::shared_ptr<ClientCore>& core, PutRequest request,
               Completion<Status> done) {
  Buffer attachment;
  if (request.value().size() > kMaxAttachedValue) {
    return done(InvalidArgument("the value of key " + QuoteKey(request.key()) + " has " +
                                std::to_string(request.value().size()) + " bytes; at most " +
                                std::to_string(kMaxAttachedValue) + " can travel"));
  }
  if (request.value().size() >= kAttachFrom) {
    attachment = Buffer(std::move(*request.mutable_value()));
    request.clear_value();
    request.set_value_attached(true);
  }
  StartWrite<PutMethod>(core, std::move(request), std::move(attachment), std::move(done));
}

void StartCall(const std::shared_ptr<ClientCore>& core, GetRequest request,
               Completion<Result<std::string>> done) {
  StartOwned<GetMethod>(core, std::move(request), {},
                        [done = std::move(done)](Result<GetReply> reply, Buffer& attached) mutable {
                          if (!reply.ok()) return done(std::move(reply).status());
                          if (reply->value_attached()) return done(attached.ToString());
                          done(std::move(*reply->mutable_value()));
                        });
}

void StartCall(const std::shared_ptr<ClientCore>& core, DeleteRequest request,
               Completion<Status> done) {
  StartWrite<DeleteMethod>(core, std::move(request), {}, std::move(done));
}

void StartCall(const std::shared_ptr<ClientCore>& core, BatchRequest request,
               Completion<Status> done) {
  StartWrite<WriteMethod>(core, std::move(request), {}, std::move(done));
}

void StartCall(const std::shared_ptr<ClientCore>& core, ScanQuery query,
               Completion<Result<ScanPage>> done) {
  std::make_shared<MergedScan>(core, std::move(query), std::move(done))->Start();
}

}  // namespace detail

Batch& Batch::Put(std::string_view key, std::string_view value) {
  BatchStep& step = *request_.add_steps();
  step.set_key(std::string(key));
  step.set_put(std::string(value));
  return *this;
}

Batch& Batch::Delete(std::string_view key) {
  BatchStep& step = *request_.add_steps();
  step.set_key(std::string(key));
  step.set_delete_(true);
  return *this;
}

Result<std::unique_ptr<Client>> Client::Open(std::string_view registry_url, ClientOptions options) {
  if (!options.runtime) {
    options.runtime = std::make_shared<Runtime>(ThreadOptions{.reactors = 1});
  }
  auto channel = std::make_unique<Channel>(
      registry_url, ChannelOptions{.timeout = options.timeout, .runtime = options.runtime});
  if (!channel->status().ok()) return channel->status();
  auto core = std::make_shared<ClientCore>(*channel, std::string(registry_url), options);
  std::unique_ptr<Client> client(new Client(std::move(channel), core));
  if (Status status = core->Open(); !status.ok()) return status;
  return client;
}

Client::Client(std::unique_ptr<Channel> channel, std::shared_ptr<ClientCore> core)
    : channel_(std::move(channel)), core_(std::move(core)) {}

Client::~Client() {
  core_->Close();
  channel_.reset();
}

PutRequest Client::MakePut(std::string_view key, std::string_view value, Durability durability) {
  PutRequest request;
  request.set_key(std::string(key));
  request.set_value(std::string(value));
  request.set_durability(durability);
  return request;
}

GetRequest Client::MakeGet(std::string_view key) {
  GetRequest request;
  request.set_key(std::string(key));
  return request;
}

DeleteRequest Client::MakeDelete(std::string_view key, Durability durability) {
  DeleteRequest request;
  request.set_key(std::string(key));
  request.set_durability(durability);
  return request;
}

BatchRequest Client::MakeWrite(const Batch& batch, Durability durability) {
  BatchRequest request = batch.request();
  request.set_durability(durability);
  return request;
}

template <class Outcome, class Request>
Outcome Client::Wait(Request request) {
  if (core_->runtime()->RunsThisThread()) {
    return FailedPrecondition(
        "a blocking call of the store's client on a thread of its runtime would wait for itself; "
        "use a completion token");
  }
  std::promise<Outcome> outcome;
  std::future<Outcome> future = outcome.get_future();
  detail::StartCall(core_, std::move(request),
                    detail::Completion<Outcome>([outcome = std::move(outcome)](Outcome o) mutable {
                      outcome.set_value(std::move(o));
                    }));
  return future.get();
}

Status Client::Put(std::string_view key, std::string_view value, Durability durability) {
  return Wait<Status>(MakePut(key, value, durability));
}

Result<std::string> Client::Get(std::string_view key) {
  return Wait<Result<std::string>>(MakeGet(key));
}

Status Client::Delete(std::string_view key, Durability durability) {
  return Wait<Status>(MakeDelete(key, durability));
}

Status Client::Write(const Batch& batch, Durability durability) {
  return Wait<Status>(MakeWrite(batch, durability));
}

Result<ScanPage> Client::Scan(const ScanQuery& query) {
  return Wait<Result<ScanPage>>(query);
}

Result<std::string> Client::OwnerOf(std::string_view key) const {
  auto owner = core_->Route(key);
  if (!owner.ok()) return std::move(owner).status();
  return std::move(owner->address);
}

Result<std::shared_ptr<const Ownership>> Client::Members() const {
  return core_->Members();
}

Result<StatsReply> Client::Stats(const std::string& address) {
  return core_->stub().Stats({}, CallOptions().WithProvider(address));
}

}  // namespace weir::kv
