// What weir-kv loads: files of keys and values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weir/status.h"

namespace weir::kv::tool {

enum class InputFormat {
  kLines,  // key<TAB>value, one a line
  kDpkg,   // the package database of Debian: a stanza per package
};

struct Record {
  std::string key;
  std::string_view value;  // into the file's text
};

// All of a file, "-" meaning standard input. INVALID_ARGUMENT names the file and why it cannot be
// read.
Result<std::string> ReadWhole(const std::string& file);

// A file with its records, in its order; no key is there twice. Movable: records stay valid.
class Input {
 public:
  // INVALID_ARGUMENT names the file, and the line if it is what the file holds that is wrong.
  static Result<Input> Read(const std::string& file, InputFormat format);
  // The same of text at hand; `name` stands for it in messages.
  static Result<Input> Parse(std::string text, InputFormat format, const std::string& name);

  const std::vector<Record>& records() const noexcept { return records_; }
  std::size_t bytes() const noexcept;  // of keys and values

 private:
  std::vector<char> text_;  // keeps its place when moved, as a string need not
  std::vector<Record> records_;
};

}  // namespace weir::kv::tool
