// One write on its way: what is asked, and what became of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "weir/kv/store.h"

namespace weir::kv {

// Without operations it asks only for a sync of all that came before, or for the next segment.
// A blocking write lives on its thread's stack; an asynchronous one is an AsyncWriteRequest.
struct WriteRequest {
  const WriteBatch* batch = nullptr;  // null: `single`, if has_single
  WriteBatch::Operation single{};
  bool has_single = false;
  bool rotate = false;  // without operations: closes the active segment, if it has records
  Sync sync = Sync::kDefault;
  std::uint64_t bytes = 0;  // of keys and values

  Status status;
  Commit commit;

  std::size_t count() const noexcept { return batch != nullptr ? batch->count() : has_single; }
  WriteBatch::Operation operation(std::size_t i) const noexcept {
    return batch != nullptr ? (*batch)[i] : single;
  }
  std::size_t conditions() const noexcept { return batch != nullptr ? batch->conditions() : 0; }

  // Of CommitQueue.
  enum State : std::uint32_t { kWaiting, kLead, kDone };
  std::atomic<std::uint32_t> state{kWaiting};
  bool asynchronous = false;
  std::uint64_t room = 0;         // taken while it waits
  WriteRequest* older = nullptr;  // in the queue
};

struct AsyncWriteRequest : WriteRequest {
  AsyncWriteRequest(WriteBatch the_batch, WriteCallback the_callback)
      : owned_batch(std::move(the_batch)), callback(std::move(the_callback)) {
    batch = &owned_batch;
    bytes = owned_batch.bytes();
    asynchronous = true;
  }

  const WriteBatch owned_batch;
  WriteCallback callback;
};

}  // namespace weir::kv
