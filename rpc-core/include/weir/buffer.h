// Buffer: bytes in a chain of shared, immutable blocks. Attachments travel as Buffers, so that they
// are neither copied nor made contiguous on their way in or out.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/ref_counted.h"

namespace weir {

// A view of bytes with its share in their owner. A null owner means the bytes are static.
struct BufferSlice {
  Ref<> owner;
  std::string_view bytes;
};

// A value; copying shares the blocks. Not thread-safe itself, but copies may be used by different
// threads.
class Buffer {
 public:
  Buffer() noexcept = default;
  // Takes the string over without copying its bytes.
  explicit Buffer(std::string bytes);
  // Copies.
  static Buffer Copy(std::string_view bytes);
  // Points at bytes kept alive by `keeper`, which is dropped with the last slice.
  static Buffer Share(std::shared_ptr<const void> keeper, std::string_view bytes);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const BufferSlice> slices() const noexcept { return slices_; }

  void Append(BufferSlice slice);
  void Append(Buffer other);
  void Clear() noexcept {
    slices_.clear();
    size_ = 0;
  }
  // Copies everything into one string.
  std::string ToString() const;
  // Copies into `out`, which has room for size() bytes.
  void CopyTo(char* out) const noexcept;

 private:
  std::vector<BufferSlice> slices_;
  std::size_t size_ = 0;
};

}  // namespace weir
