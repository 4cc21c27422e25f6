#include "comments.h"

#include <string_view>
#include <utility>

namespace weir::codegen {
namespace {

// Marks that change the direction of text: the compiler warns of them where they stay open.
bool IsDirectionMark(std::string_view text) {
  if (text.size() < 3 || text[0] != '\xE2') return false;
  return (text[1] == '\x80' && text[2] >= '\xAA' && text[2] <= '\xAE') ||
         (text[1] == '\x81' && text[2] >= '\xA6' && text[2] <= '\xA9');
}

std::string CleanLine(std::string_view raw) {
  if (raw.starts_with(' ')) raw.remove_prefix(1);  // between the mark and the text
  std::string line;
  while (!raw.empty()) {
    if (IsDirectionMark(raw)) {
      raw.remove_prefix(3);
      continue;
    }
    const char c = raw.front();
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    line += control ? ' ' : c;
    raw.remove_prefix(1);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  // A backslash at the end of the line would take the next line into the comment.
  if (line.ends_with('\\')) line += '.';
  return line;
}

void Append(std::string_view text, std::vector<std::string>& lines) {
  std::vector<std::string> added;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    added.push_back(CleanLine(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  while (!added.empty() && added.back().empty()) added.pop_back();
  if (added.empty()) return;
  if (!lines.empty()) lines.emplace_back();
  for (std::string& line : added) lines.push_back(std::move(line));
}

}  // namespace

std::vector<std::string> CommentLines(const google::protobuf::SourceLocation& location) {
  std::vector<std::string> lines;
  Append(location.leading_comments, lines);
  Append(location.trailing_comments, lines);
  return lines;
}

}  // namespace weir::codegen
