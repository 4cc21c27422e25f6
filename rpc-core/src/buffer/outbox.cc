#include "buffer/outbox.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace weir {

char* Outbox::Reserve(std::size_t bytes) {
  if (!tail_ || tail_->capacity() - tail_used_ < bytes) {
    tail_ = Block::Allocate(std::max(bytes, block_bytes_));
    tail_used_ = 0;
  }
  return tail_->data() + tail_used_;
}

void Outbox::Commit(std::size_t bytes) noexcept {
  assert(tail_ && tail_->capacity() - tail_used_ >= bytes);
  if (bytes == 0) return;
  const char* start = tail_->data() + tail_used_;
  tail_used_ += bytes;
  size_ += bytes;
  if (first_ < slices_.size()) {
    BufferSlice& last = slices_.back();
    if (last.owner.get() == tail_.get() && last.bytes.data() + last.bytes.size() == start) {
      last.bytes = {last.bytes.data(), last.bytes.size() + bytes};
      return;
    }
  }
  slices_.push_back({Ref<>::Share(tail_.get()), {start, bytes}});
}

void Outbox::Append(std::string_view bytes) {
  std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
  Commit(bytes.size());
}

void Outbox::Append(Buffer buffer) {
  for (const BufferSlice& slice : buffer.slices()) slices_.push_back(slice);
  size_ += buffer.size();
}

void Outbox::TakeFrom(Outbox& other) {
  constexpr std::size_t kCopyBelow = 4096;
  for (std::size_t i = other.first_; i < other.slices_.size(); ++i) {
    BufferSlice& slice = other.slices_[i];
    if (slice.bytes.size() < kCopyBelow) {
      Append(slice.bytes);
    } else {
      size_ += slice.bytes.size();
      slices_.push_back(std::move(slice));
    }
  }
  other.Clear();
}

int Outbox::Gather(iovec* vectors, int most) const noexcept {
  int count = 0;
  for (std::size_t i = first_; i < slices_.size() && count < most; ++i, ++count) {
    const std::string_view bytes = slices_[i].bytes;
    vectors[count] = {const_cast<char*>(bytes.data()), bytes.size()};
  }
  return count;
}

void Outbox::Consume(std::size_t bytes) noexcept {
  assert(bytes <= size_);
  size_ -= bytes;
  consumed_ += bytes;
  if (size_ == 0) return Clear();
  while (bytes > 0) {
    BufferSlice& slice = slices_[first_];
    if (bytes < slice.bytes.size()) {
      slice.bytes.remove_prefix(bytes);
      return;
    }
    bytes -= slice.bytes.size();
    slice.owner = {};
    ++first_;
  }
  if (first_ > 64 && first_ > slices_.size() / 2) {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Outbox::Clear() noexcept {
  consumed_ += size_;
  size_ = 0;
  slices_.clear();
  if (slices_.capacity() > 256) slices_.shrink_to_fit();
  first_ = 0;
  tail_ = {};
  tail_used_ = 0;
}

}  // namespace weir
