// Outbox: bytes waiting to be written to a socket, gathered from copies and shared slices.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "buffer/block.h"
#include "weir/buffer.h"

namespace weir {

// Small things are copied one behind the other into a block, so that many frames leave as one
// vector; large ones are shared. Empty, it holds no memory. One thread.
class Outbox {
 public:
  // Copies go into blocks of at least so many bytes; for one frame, 0.
  explicit Outbox(std::size_t block_bytes = Block::kCommonSize) noexcept
      : block_bytes_(block_bytes) {}

  // Contiguous room for `bytes`; Commit says how much of it was used. The two come in pairs.
  char* Reserve(std::size_t bytes);
  void Commit(std::size_t bytes) noexcept;
  void Append(std::string_view bytes);  // copies
  void Append(Buffer buffer);           // shares
  // Takes everything out of `other`: copied if it is little, shared if it is much.
  void TakeFrom(Outbox& other);

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  // Bytes ever appended: the offset that the next byte gets. Bytes ever consumed: offset written.
  std::uint64_t appended() const noexcept { return consumed_ + size_; }
  std::uint64_t consumed() const noexcept { return consumed_; }

  // Fills up to `most` vectors with what comes first; returns how many.
  int Gather(iovec* vectors, int most) const noexcept;
  // The first `bytes` have been written.
  void Consume(std::size_t bytes) noexcept;
  void Clear() noexcept;

 private:
  std::size_t block_bytes_;
  std::vector<BufferSlice> slices_;  // from first_ on
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::uint64_t consumed_ = 0;
  Ref<Block> tail_;  // where copies go
  std::size_t tail_used_ = 0;
};

}  // namespace weir
