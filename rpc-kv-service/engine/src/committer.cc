#include "committer.h"

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

}  // namespace

void Committer::Run(std::span<WriteRequest* const> requests) {
  while (!requests.empty()) requests = requests.subspan(RunPart(requests));
}

std::size_t Committer::RunPart(std::span<WriteRequest* const> requests) {
  if (!log_.fence().ok()) {
    for (WriteRequest* request : requests) request->status = log_.fence();
    return requests.size();
  }
  const std::size_t count = Gather(requests);
  if (count == 0) return 1;
  const auto part = requests.first(count);

  std::uint64_t seq = last_seq_;
  for (WriteRequest* request : part) {
    if (request->count() > 0) ++seq;
    request->commit.seq = seq;
  }
  Status status;
  if (seq != last_seq_) status = log_.Append(group_, seq);
  bool synced = false;
  if (status.ok() && WantsSync(part)) {
    status = log_.Sync();
    synced = status.ok();
  }
  for (WriteRequest* request : part) {
    request->status = status;
    request->commit.durable = synced;
  }
  if (status.ok() && seq != last_seq_) {
    commits_.fetch_add(seq - last_seq_, std::memory_order_relaxed);
    last_seq_ = seq;
    snapshots_.Publish(group_.changes(), seq);
  }
  return count;
}

std::size_t Committer::Gather(std::span<WriteRequest* const> requests) {
  log_.StartGroup(group_);
  bool marked = false;
  std::uint64_t seq = last_seq_;
  std::size_t count = 0;
  for (; count < requests.size(); ++count) {
    WriteRequest& request = *requests[count];
    if (request.count() == 0) continue;
    if (seq == kMaxSeq) {
      request.status = OutOfRange("the store has used up its 2^63 sequence numbers");
      return count;
    }
    const std::uint64_t size = EncodedSize(request, seq + 1);
    if (!log_.Fits(group_.size() + size)) {
      if (seq != last_seq_) return count;
      if (request.status = log_.Rotate(); !request.status.ok()) return count;
      log_.StartGroup(group_);
    } else if (!marked && group_.size() == 0 && log_.unmarked() >= kMarkEvery) {
      log_.AddMark(group_);
      marked = true;
    }
    Encode(request, ++seq);
  }
  return count;
}

void Committer::Encode(const WriteRequest& request, std::uint64_t seq) {
  const std::size_t count = request.count();
  if (count == 1) {
    const auto operation = request.operation(0);
    group_.AddPublished(TagOf(operation), seq, operation.key, operation.value, operation.expiry_ms);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto operation = request.operation(i);
    group_.AddPublished(TagOf(operation) | kBatchBit, seq, operation.key, operation.value,
                        operation.expiry_ms);
  }
  char value[kMaxVarint64];
  group_.Add(static_cast<std::uint8_t>(RecordType::kTxnFinished), seq, {},
             EncodeCount(value, count));
}

bool Committer::WantsSync(std::span<WriteRequest* const> requests) const {
  for (const WriteRequest* request : requests) {
    if (request->sync == Sync::kNow) return true;
    if (request->sync == Sync::kDefault && policy_.mode == SyncMode::kAlways) return true;
  }
  return policy_.mode == SyncMode::kEveryBytes && log_.unsynced() >= policy_.bytes;
}

}  // namespace weir::kv
