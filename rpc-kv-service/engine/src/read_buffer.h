// Memory that records are read into.
#pragma once

#include <cstddef>
#include <memory>

namespace weir::kv {

// Small records need no allocation; larger ones one, which is used again.
class ReadBuffer {
 public:
  // User-provided, so that nobody fills the small room with zeroes.
  ReadBuffer() noexcept {}
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;

  // Room for `size` bytes, until the next call. What was there before is lost.
  char* Room(std::size_t size) {
    if (size <= sizeof small_) return small_;
    if (size > large_size_) {
      large_ = std::make_unique_for_overwrite<char[]>(size);
      large_size_ = size;
    }
    return large_.get();
  }

 private:
  std::unique_ptr<char[]> large_;
  std::size_t large_size_ = 0;
  char small_[1024];
};

}  // namespace weir::kv
