#include "input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "weir/kv/refusal.h"

namespace weir::kv::tool {
namespace {

// Walks a text line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool Next() {
    if (next_ >= text_.size()) return false;
    begin_ = next_;
    end_ = std::min(text_.find('\n', begin_), text_.size());
    next_ = end_ + 1;
    ++number_;
    return true;
  }
  std::string_view line() const { return text_.substr(begin_, end_ - begin_); }
  std::size_t begin() const { return begin_; }                          // of the line
  std::size_t behind() const { return std::min(next_, text_.size()); }  // with its newline
  std::size_t number() const { return number_; }

 private:
  std::string_view text_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t next_ = 0;
  std::size_t number_ = 0;
};

// Gathers records and refuses what cannot be one.
class Collector {
 public:
  Collector(const std::string& name, std::vector<Record>& records)
      : name_(name), records_(records) {}

  Status Add(std::string key, std::string_view value, std::size_t line) {
    const auto [known, is_new] = lines_.emplace(key, line);
    if (!is_new) {
      return At(line, "key " + QuoteKey(key) + " is already at line " +
                          std::to_string(known->second) + "; a key may be there once");
    }
    records_.push_back({std::move(key), value});
    return {};
  }
  Status At(std::size_t line, const std::string& what) const {
    return InvalidArgument(name_ + ":" + std::to_string(line) + ": " + what);
  }

 private:
  const std::string& name_;
  std::vector<Record>& records_;
  std::unordered_map<std::string, std::size_t> lines_;
};

Status ParseLines(std::string_view text, Collector& records) {
  for (Lines lines(text); lines.Next();) {
    const std::size_t tab = lines.line().find('\t');
    if (tab == std::string_view::npos) {
      return records.At(lines.number(), "no TAB between key and value");
    }
    Status status = records.Add(std::string(lines.line().substr(0, tab)),
                                lines.line().substr(tab + 1), lines.number());
    if (!status.ok()) return status;
  }
  return {};
}

// The value of a field if the line is that field.
std::string_view Field(std::string_view line, std::string_view name) {
  if (!line.starts_with(name)) return {};
  line.remove_prefix(name.size());
  const std::size_t first = line.find_first_not_of(" \t");
  const std::size_t last = line.find_last_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view()
                                         : line.substr(first, last - first + 1);
}

// The key of a stanza is the name dpkg uses for the package: with the architecture if several of
// them can be installed side by side.
Status ParseDpkg(std::string_view text, Collector& records) {
  std::size_t begin = 0;
  std::size_t first_line = 0;
  std::string_view package;
  std::string_view architecture;
  std::string_view multi_arch;
  const auto end_stanza = [&](std::size_t end) -> Status {
    if (first_line == 0) return {};
    const std::size_t line = std::exchange(first_line, 0);
    if (package.empty()) {
      return records.At(line, "a stanza without \"Package:\"; is this a dpkg status file?");
    }
    std::string key(package);
    if (multi_arch == "same") key += ":" + std::string(architecture);
    package = architecture = multi_arch = {};
    return records.Add(std::move(key), text.substr(begin, end - begin), line);
  };
  Lines lines(text);
  while (lines.Next()) {
    if (lines.line().empty()) {
      if (Status status = end_stanza(lines.begin()); !status.ok()) return status;
      continue;
    }
    if (first_line == 0) {
      first_line = lines.number();
      begin = lines.begin();
    }
    if (const auto value = Field(lines.line(), "Package:"); !value.empty()) package = value;
    if (const auto value = Field(lines.line(), "Architecture:"); !value.empty()) {
      architecture = value;
    }
    if (const auto value = Field(lines.line(), "Multi-Arch:"); !value.empty()) multi_arch = value;
  }
  return end_stanza(lines.behind());
}

}  // namespace

Result<std::string> ReadWhole(const std::string& file) {
  const auto failed = [&file] {
    return InvalidArgument("cannot read " + file + ": " + std::generic_category().message(errno));
  };
  const int descriptor =
      file == "-" ? ::dup(STDIN_FILENO) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return failed();
  std::string text;
  for (;;) {
    constexpr std::size_t kPortion = 1 << 18;
    const std::size_t size = text.size();
    text.resize(size + kPortion);
    const ssize_t got = ::read(descriptor, text.data() + size, kPortion);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      const int error = errno;
      ::close(descriptor);
      errno = error;
      if (got < 0) return failed();
      return text;
    }
  }
}

Result<Input> Input::Read(const std::string& file, InputFormat format) {
  auto text = ReadWhole(file);
  if (!text.ok()) return std::move(text).status();
  return Parse(*std::move(text), format, file);
}

Result<Input> Input::Parse(std::string text, InputFormat format, const std::string& name) {
  Input input;
  input.text_.assign(text.begin(), text.end());
  const std::string_view kept(input.text_.data(), input.text_.size());
  Collector records(name, input.records_);
  Status status =
      format == InputFormat::kDpkg ? ParseDpkg(kept, records) : ParseLines(kept, records);
  if (!status.ok()) return status;
  return input;
}

std::size_t Input::bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Record& record : records_) bytes += record.key.size() + record.value.size();
  return bytes;
}

}  // namespace weir::kv::tool
