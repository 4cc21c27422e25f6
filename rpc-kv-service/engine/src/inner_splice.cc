#include "inner_node.h"

namespace weir::kv {
namespace {

// Appends, byte by byte, to what is being made.
class Writer {
 public:
  explicit Writer(char* at) noexcept : at_(at) {}
  void Copy(const void* from, std::size_t bytes) noexcept {
    if (bytes == 0) return;
    std::memcpy(at_, from, bytes);
    at_ += bytes;
  }
  template <class T, class Value>
  void Put(Value value) noexcept {
    new (at_) T(value);
    at_ += sizeof(T);
  }
  char* at() const noexcept { return at_; }

 private:
  char* at_;
};

}  // namespace

InnerSplice::InnerSplice(const Inner& node, std::size_t from, std::size_t count,
                         const InnerParts& made) noexcept
    : node_(node),
      from_(from),
      count_(count),
      made_(made),
      first_(made.size() > 0 || from == 0 ? from : from - 1),
      gone_(made.size() > 0 ? count - 1 : count),
      added_(made.size() > 0 ? made.size() - 1 : 0),
      children_(node.count - count + made.size()) {
  if (children_ < 2 || first_ + gone_ > node.count - 1u) return;
  const std::string_view prefix = node.prefix();
  std::size_t text = made.separators().size();
  for (std::size_t i = 0; i < added_; ++i) {
    if (!made.separator(i).starts_with(prefix)) return;
    text -= prefix.size();
  }
  bytes_ = node.bytes + 8 * children_ + 12 * (children_ - 1) - 8 * node.count -
           12 * (node.count - 1u) + text - (End(first_ + gone_) - End(first_));
}

Inner* InnerSplice::Pack(void* memory) const noexcept {
  auto* node = new (memory) Inner();
  node->bytes = static_cast<std::uint32_t>(bytes_);
  node->count = static_cast<std::uint16_t>(children_);
  node->level = node_.level;
  node->prefix_size_ = node_.prefix_size_;
  const std::size_t prefix = node_.prefix_size_;
  const std::size_t behind = first_ + gone_;  // the first separator that stays
  const std::size_t left = node_.count - 1u - behind;

  Writer to(static_cast<char*>(memory) + sizeof(Inner));
  to.Copy(node_.Heads(), 8 * first_);
  for (std::size_t i = 0; i < added_; ++i) {
    to.Put<std::uint64_t>(HeadOf(made_.separator(i).substr(prefix)));
  }
  to.Copy(node_.Heads() + behind, 8 * left);

  // Nobody else changes them, so that their bytes may be copied.
  to.Copy(static_cast<const void*>(node_.Children()), 8 * from_);
  for (std::size_t i = 0; i < made_.size(); ++i) to.Put<std::atomic<Node*>>(made_.child(i));
  to.Copy(static_cast<const void*>(node_.Children() + from_ + count_),
          8 * (node_.count - from_ - count_));

  to.Copy(node_.Ends(), 4 * first_);
  std::uint32_t end = End(first_);
  for (std::size_t i = 0; i < added_; ++i) {
    end += static_cast<std::uint32_t>(made_.separator(i).size() - prefix);
    to.Put<std::uint32_t>(end);
  }
  const std::uint32_t moved = end - End(behind);  // modulo 2^32
  const std::uint32_t* const ends = node_.Ends() + behind;
  for (std::size_t i = 0; i < left; ++i) to.Put<std::uint32_t>(ends[i] + moved);

  const char* const rests = node_.Prefix() + prefix;
  to.Copy(node_.Prefix(), prefix + End(first_));
  for (std::size_t i = 0; i < added_; ++i) {
    const std::string_view rest = made_.separator(i).substr(prefix);
    to.Copy(rest.data(), rest.size());
  }
  to.Copy(rests + End(behind), End(node_.count - 1u) - End(behind));
  std::memset(to.at(), 0, kNodeSlack);
  return node;
}

}  // namespace weir::kv
