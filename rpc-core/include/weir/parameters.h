// Parameters: one element of a load balance's text, "name:key=value,key=value" or
// "name(key=value,...)", taken apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weir/status.h"

namespace weir {

// A value. The getters give `fallback` for an absent key; a value they cannot accept is
// INVALID_ARGUMENT naming key, value, position and the allowed form.
class Parameters {
 public:
  // Of one element alone. INVALID_ARGUMENT names the position and the expected form. Known keys and
  // the values' forms are the strategy's to check.
  static Result<Parameters> Parse(std::string_view text);
  // Of all elements, "decorator(...)|decorator|strategy:..."; there is at least one.
  static Result<std::vector<Parameters>> ParseChain(std::string_view text);

  const std::string& name() const noexcept { return name_; }
  // Where the element begins in the text, counted from 1.
  std::size_t position() const noexcept { return begin_ + 1; }
  bool empty() const noexcept { return values_.empty(); }
  bool Has(std::string_view key) const { return values_.find(key) != values_.end(); }

  // A decimal integer from `min` to `max`.
  Result<std::int64_t> Integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                               std::int64_t max) const;
  // A decimal number ("1.25") from `min` to `max`.
  Result<double> Number(std::string_view key, double fallback, double min, double max) const;
  // A time, "250ms", "30s", "2m", from 1 ms to 24 h; in nanoseconds.
  Result<std::int64_t> Time(std::string_view key, std::int64_t fallback_ns) const;
  // Letters, digits, '_', '-' and '.'; not empty.
  Result<std::string> Word(std::string_view key, std::string_view fallback) const;
  // One of `choices`; the result is its position among them.
  Result<std::size_t> OneOf(std::string_view key, std::size_t fallback,
                            std::span<const std::string_view> choices) const;
  // Refuses every key that is not in `known`.
  Status RefuseOthers(std::span<const std::string_view> known) const;
  // Refuses the first of the keys there are: `what` takes none.
  Status RefuseAll(std::string_view what) const;
  // Refuses the value of a key for a reason of the strategy's own.
  Status Refuse(std::string_view key, std::string_view expected) const;

 private:
  struct Value {
    std::string text;
    std::size_t at;  // of the key, in text_
  };
  static Result<Parameters> ParseElement(std::string_view text, std::size_t begin, std::size_t end);

  std::string text_;  // whole, for messages
  std::size_t begin_ = 0;
  std::string name_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace weir
