#include "weir/buffer.h"

#include <cstring>

namespace weir {
namespace {

class StringOwner final : public RefCounted {
 public:
  explicit StringOwner(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

class Keeper final : public RefCounted {
 public:
  explicit Keeper(std::shared_ptr<const void> kept) : kept_(std::move(kept)) {}

 private:
  std::shared_ptr<const void> kept_;
};

}  // namespace

Buffer::Buffer(std::string bytes) {
  if (bytes.empty()) return;
  auto* owner = new StringOwner(std::move(bytes));
  const std::string_view view = owner->bytes();
  Append(BufferSlice{Ref<>::Adopt(owner), view});
}

Buffer Buffer::Copy(std::string_view bytes) {
  return Buffer(std::string(bytes));
}

Buffer Buffer::Share(std::shared_ptr<const void> keeper, std::string_view bytes) {
  Buffer buffer;
  buffer.Append(BufferSlice{Ref<>::Adopt(new Keeper(std::move(keeper))), bytes});
  return buffer;
}

void Buffer::Append(BufferSlice slice) {
  if (slice.bytes.empty()) return;
  size_ += slice.bytes.size();
  slices_.push_back(std::move(slice));
}

void Buffer::Append(Buffer other) {
  if (slices_.empty()) {
    *this = std::move(other);
    return;
  }
  for (BufferSlice& slice : other.slices_) Append(std::move(slice));
}

std::string Buffer::ToString() const {
  std::string text(size_, '\0');
  CopyTo(text.data());
  return text;
}

void Buffer::CopyTo(char* out) const noexcept {
  for (const BufferSlice& slice : slices_) {
    std::memcpy(out, slice.bytes.data(), slice.bytes.size());
    out += slice.bytes.size();
  }
}

}  // namespace weir
