#include "committer.h"

#include <utility>

#include "coding.h"

namespace weir::kv {
namespace {

// How much may become durable before a mark says so.
constexpr std::uint64_t kMarkEvery = 1 << 20;

std::uint8_t TagOf(const WriteBatch::Operation& operation) {
  return static_cast<std::uint8_t>(operation.is_delete ? RecordType::kDeleted
                                                       : RecordType::kNormal);
}

std::string_view EncodeCount(char (&to)[kMaxVarint64], std::uint64_t count) {
  const char* end = StoreVarint(to, count);
  return {to, static_cast<std::size_t>(end - to)};
}

std::uint64_t EncodedSize(const WriteRequest& request, std::uint64_t seq) {
  const std::size_t count = request.count();
  std::uint64_t size = count > 1 ? RecordSize(seq, 0, VarintSize(count)) : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto operation = request.operation(i);
    const std::size_t expiry_size = operation.expiry_ms != 0 ? VarintSize(operation.expiry_ms) : 0;
    size += RecordSize(seq, operation.key.size(), expiry_size + operation.value.size());
  }
  return size;
}

bool HasPuts(const WriteRequest& request) {
  for (std::size_t i = 0; i < request.count(); ++i) {
    if (!request.operation(i).is_delete) return true;
  }
  return false;
}

}  // namespace

void Committer::Write(CommitGroup& group, const std::function<void()>& drain,
                      std::vector<WriteRequest*>& rest) {
  rest.clear();
  group.status = {};
  group.sync = false;
  group.first_seq = group.last_seq = last_seq_;
  if (!log_.fence().ok()) {
    group.status = log_.fence();
    return;
  }
  log_.StartGroup(group.buffer);
  marked_ = false;
  std::size_t taken = 0;
  while (taken < group.requests.size() && Take(*group.requests[taken], group, drain)) ++taken;
  rest.assign(group.requests.begin() + static_cast<std::ptrdiff_t>(taken), group.requests.end());
  group.requests.resize(taken);

  if (group.last_seq != group.first_seq) {
    group.status = log_.Append(group.buffer, group.last_seq, drain);
    if (group.status.code() == StatusCode::kResourceExhausted && reserve_.OnFull()) {
      WriteDeletes(group, drain);
    }
    if (!group.status.ok()) return;
    last_seq_ = group.last_seq;
  }
  group.end = log_.length();
  group.sync = WantsSync(group);
}

void Committer::WriteDeletes(CommitGroup& group, const std::function<void()>& drain) {
  const Status full = std::exchange(group.status, {});
  group.last_seq = group.first_seq;
  log_.StartGroup(group.buffer);
  marked_ = false;
  for (WriteRequest* request : group.requests) {
    if (!request->status.ok()) continue;
    if (HasPuts(*request) || !Take(*request, group, drain)) request->status = full;
  }
  if (group.last_seq != group.first_seq) {
    group.status = log_.Append(group.buffer, group.last_seq, drain);
  }
}

bool Committer::Take(WriteRequest& request, CommitGroup& group,
                     const std::function<void()>& drain) {
  const bool first = group.last_seq == group.first_seq;
  request.status = {};
  if (request.count() == 0) {
    if (!request.rotate) return true;
    if (!first) return false;
    drain();
    request.status = log_.RotateIfUsed();
    log_.StartGroup(group.buffer);
    return true;
  }
  if (request.conditions() > 0) {
    // They are about the state that all writes before have made.
    if (!first) return false;
    drain();
    request.status = check_(*request.batch);
    if (!request.status.ok()) return true;
  }
  if (!reserve_.AllowPut() && HasPuts(request)) {
    request.status = reserve_.Refusal();
    return true;
  }
  if (group.last_seq == kMaxSeq) {
    request.status = OutOfRange("the store has used up its 2^63 sequence numbers");
    return true;
  }
  const std::uint64_t seq = group.last_seq + 1;
  const std::uint64_t size = EncodedSize(request, seq);
  if (!log_.Fits(group.buffer.size() + size)) {
    if (!first) return false;
    drain();
    request.status = log_.Rotate();
    if (request.status.code() == StatusCode::kResourceExhausted && reserve_.OnFull() &&
        !HasPuts(request)) {
      request.status = log_.Rotate();
    }
    if (!request.status.ok()) return true;
    log_.StartGroup(group.buffer);
  } else if (!marked_ && group.buffer.size() == 0 && log_.unmarked() >= kMarkEvery) {
    log_.AddMark(group.buffer);
    marked_ = true;
  }
  Encode(request, seq, group.buffer);
  request.commit.seq = group.last_seq = seq;
  return true;
}

void Committer::Encode(const WriteRequest& request, std::uint64_t seq, GroupBuffer& buffer) {
  const std::size_t count = request.count();
  if (count == 1) {
    const auto operation = request.operation(0);
    buffer.AddPublished(TagOf(operation), seq, operation.key, operation.value, operation.expiry_ms);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto operation = request.operation(i);
    buffer.AddPublished(TagOf(operation) | kBatchBit, seq, operation.key, operation.value,
                        operation.expiry_ms);
  }
  char value[kMaxVarint64];
  buffer.Add(static_cast<std::uint8_t>(RecordType::kTxnFinished), seq, {},
             EncodeCount(value, count));
}

bool Committer::WantsSync(const CommitGroup& group) const {
  for (const WriteRequest* request : group.requests) {
    if (request->sync == Sync::kNow) return true;
    if (request->sync == Sync::kDefault && policy_.mode == SyncMode::kAlways) return true;
  }
  return policy_.mode == SyncMode::kEveryBytes && log_.unsynced() >= policy_.bytes;
}

void Committer::Finish(CommitGroup& group) {
  bool synced = false;
  if (group.status.ok() && group.sync) {
    group.status = log_.Sync(group.end, group.last_seq);
    synced = group.status.ok();
  } else if (group.status.ok() && !log_.fence().ok()) {
    // The sync of a group before this one failed after this one was written.
    group.status = log_.UnknownSinceFence();
  }
  std::uint64_t bytes = 0;
  for (WriteRequest* request : group.requests) {
    if (!group.status.ok() && request->status.ok()) request->status = group.status;
    request->commit.durable = synced;
    if (request->commit.seq == 0) request->commit.seq = group.first_seq;
    if (request->status.ok()) bytes += request->bytes;
  }
  if (!group.status.ok() || group.last_seq == group.first_seq) return;
  commits_.store(commits() + (group.last_seq - group.first_seq), std::memory_order_relaxed);
  user_bytes_.store(user_bytes() + bytes, std::memory_order_relaxed);
  snapshots_.Publish(group.buffer.changes(), group.last_seq);
}

}  // namespace weir::kv
