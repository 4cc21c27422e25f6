#include "weir/kv/kv_service.h"

#include <algorithm>
#include <utility>

#include "key_guard.h"
#include "weir/kv/limits.h"
#include "weir/kv/refusal.h"

namespace weir::kv {
namespace {

WriteOptions OptionsFor(Durability durability) {
  switch (durability) {
    case SYNCED:
      return {.sync = Sync::kNow};
    case WRITTEN:
      return {.sync = Sync::kLater};
    default:
      return {};
  }
}

// Hands a batch to the engine and answers when it says how the write ended.
template <class Message>
void Submit(Store& store, WriteBatch batch, Durability durability, weir::Reply<Message> reply) {
  store.Write(std::move(batch), OptionsFor(durability),
              [reply = std::move(reply)](const Status& status, const Commit& commit) mutable {
                if (!status.ok()) return reply(status);
                Message message;
                message.set_seq(commit.seq);
                message.set_durable(commit.durable);
                reply(std::move(message));
              });
}

}  // namespace

KvService::KvService(Store& store, std::string address, std::string sync)
    : store_(store),
      sync_(std::move(sync)),
      guard_(std::make_unique<KeyGuard>(std::move(address), store.id())) {}

KvService::~KvService() = default;

Status KvService::JoinCluster(std::shared_ptr<Registry> registry, std::string cluster) {
  return guard_->Join(std::move(registry), std::move(cluster));
}

std::uint64_t KvService::epoch() const noexcept {
  return guard_->epoch();
}

Status KvService::refusal() const {
  return guard_->refusal();
}

void KvService::Put(ServerContext& context, const PutRequest& request,
                    weir::Reply<PutReply> reply) {
  if (Status status = guard_->Check(request.epoch(), request.key()); !status.ok()) {
    return reply(status);
  }
  WriteBatch batch;
  if (request.value_attached()) {
    batch.Put(request.key(), context.attachment().ToString());
  } else {
    batch.Put(request.key(), request.value());
  }
  Submit(store_, std::move(batch), request.durability(), std::move(reply));
}

Result<GetReply> KvService::Get(ServerContext& context, const GetRequest& request) {
  if (Status status = guard_->Check(request.epoch(), request.key()); !status.ok()) return status;
  GetReply reply;
  std::string* const value = reply.mutable_value();
  if (Status status = store_.Get(request.key(), value); !status.ok()) return status;
  if (value->size() >= kAttachFrom) {
    if (value->size() > kMaxAttachedValue) {
      return ResourceExhausted("the value of key " + QuoteKey(request.key()) + " has " +
                               std::to_string(value->size()) + " bytes; at most " +
                               std::to_string(kMaxAttachedValue) + " can travel");
    }
    context.SetReplyAttachment(Buffer(std::move(*value)));
    reply.clear_value();
    reply.set_value_attached(true);
  }
  return reply;
}

void KvService::Delete(ServerContext&, const DeleteRequest& request,
                       weir::Reply<DeleteReply> reply) {
  if (Status status = guard_->Check(request.epoch(), request.key()); !status.ok()) {
    return reply(status);
  }
  WriteBatch batch;
  batch.Delete(request.key());
  Submit(store_, std::move(batch), request.durability(), std::move(reply));
}

void KvService::Write(ServerContext&, const BatchRequest& request, weir::Reply<BatchReply> reply) {
  WriteBatch batch;
  for (const BatchStep& step : request.steps()) {
    if (Status status = guard_->Check(request.epoch(), step.key()); !status.ok()) {
      return reply(status);
    }
    switch (step.what_case()) {
      case BatchStep::kPut:
        batch.Put(step.key(), step.put());
        break;
      case BatchStep::kDelete:
        batch.Delete(step.key());
        break;
      default:
        return reply(InvalidArgument("a step of the batch, with key " + QuoteKey(step.key()) +
                                     ", neither puts nor deletes"));
    }
  }
  Submit(store_, std::move(batch), request.durability(), std::move(reply));
}

Result<ScanReply> KvService::Scan(ServerContext& context, const ScanRequest& request) {
  if (Status status = guard_->CheckEpoch(request.epoch()); !status.ok()) return status;
  const std::uint32_t limit =
      request.limit() == 0 ? kMaxPageKeys : std::min(request.limit(), kMaxPageKeys);
  ScanReply reply;
  std::size_t bytes = 0;
  std::uint32_t visited = 0;
  const auto scan = store_.Scan({.start = request.start(),
                                 .end = request.end(),
                                 .prefix = request.prefix(),
                                 .keys_only = request.keys_only()});
  for (; scan->Valid(); scan->Next()) {
    const bool full = static_cast<std::uint32_t>(reply.entries_size()) >= limit ||
                      bytes >= kMaxPageBytes || visited >= kMaxPageVisits;
    if (full) {
      reply.set_more(true);
      reply.set_next(std::string(scan->key()));
      return reply;
    }
    if ((++visited & 255) == 0 && context.cancelled()) return Cancelled("the caller has gone");
    if (!guard_->Owns(scan->key())) continue;
    ScanEntry& entry = *reply.add_entries();
    entry.set_key(std::string(scan->key()));
    if (scan->value().size() > kMaxPageValue) {
      entry.set_large(true);
    } else {
      entry.set_value(std::string(scan->value()));
    }
    bytes += entry.key().size() + entry.value().size();
  }
  if (!scan->status().ok()) return scan->status();
  return reply;
}

Result<StatsReply> KvService::Stats(ServerContext&, const StatsRequest&) {
  const auto stats = store_.GetStats();
  const Status refusal = guard_->refusal();
  StatsReply reply;
  reply.set_address(guard_->address());
  reply.set_store_id(store_.id());
  reply.set_cluster(guard_->cluster());
  reply.set_epoch(guard_->epoch());
  reply.set_serving(refusal.ok());
  reply.set_refusal(std::string(refusal.message()));
  reply.set_keys(stats.keys);
  reply.set_live_bytes(stats.live_bytes);
  reply.set_data_bytes(stats.data_bytes);
  reply.set_segments(stats.segments);
  reply.set_commits(stats.commits);
  reply.set_groups(stats.groups);
  reply.set_syncs(stats.syncs);
  reply.set_last_seq(stats.last_seq);
  reply.set_durable_seq(stats.durable_seq);
  reply.set_fenced(stats.fenced);
  reply.set_garbage_bytes(stats.garbage_bytes);
  reply.set_index_bytes(stats.index_bytes);
  reply.set_merges(stats.merges);
  reply.set_merge_failures(stats.merge_failures);
  reply.set_bad_records(stats.bad_records);
  reply.set_sync(sync_);
  reply.set_version(WEIR_VERSION);
  return reply;
}

Result<PingReply> KvService::Ping(ServerContext&, const PingRequest&) {
  PingReply reply;
  reply.set_address(guard_->address());
  return reply;
}

}  // namespace weir::kv
