// The routing key of an integer field marked (weir.hash_key). Used by generated code.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <string_view>

namespace weir::detail {

// The decimal text of an integer, without allocation. A value; view() lives as long as it.
class DecimalText {
 public:
  template <std::integral Integer>
  explicit DecimalText(Integer value) noexcept
      : size_(static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof(text_), value).ptr -
                                       text_)) {}

  std::string_view view() const noexcept { return {text_, size_}; }

 private:
  char text_[20];  // both extremes of 64 bits: a sign and 19 digits, or 20 digits
  std::size_t size_;
};

}  // namespace weir::detail
