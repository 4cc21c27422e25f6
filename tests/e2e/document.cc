#include "e2e/document.h"

#include <optional>
#include <sstream>
#include <stdexcept>

namespace weir::testing {
namespace {

constexpr std::string_view kFence = "```";
constexpr std::string_view kFileMark = "<!-- file: ";
constexpr std::string_view kMarkEnd = " -->";

std::string_view WithoutTrailingSpace(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::optional<Block> ReadMark(std::string_view line, int number) {
  if (line.starts_with(kFileMark) && line.ends_with(kMarkEnd)) {
    line.remove_prefix(kFileMark.size());
    line.remove_suffix(kMarkEnd.size());
    return Block{BlockKind::kFile, std::string(line), {}, number};
  }
  if (line == "<!-- run -->") return Block{BlockKind::kRun, {}, {}, number};
  if (line == "<!-- run, fails -->") return Block{BlockKind::kRunFails, {}, {}, number};
  if (line == "<!-- run in background -->") {
    return Block{BlockKind::kRunInBackground, {}, {}, number};
  }
  if (line == "<!-- output -->") return Block{BlockKind::kOutput, {}, {}, number};
  return std::nullopt;
}

}  // namespace

std::vector<Block> MarkedBlocks(std::string_view document) {
  std::vector<Block> blocks;
  std::optional<Block> mark;
  bool in_block = false;
  std::istringstream lines{std::string(document)};
  std::string whole;
  for (int number = 1; std::getline(lines, whole); ++number) {
    const std::string_view line = WithoutTrailingSpace(whole);
    if (in_block) {
      if (line != kFence) {
        if (mark) mark->text += whole + "\n";
        continue;
      }
      in_block = false;
      if (mark) blocks.push_back(*std::move(mark));
      mark.reset();
    } else if (line.starts_with(kFence)) {
      in_block = true;
    } else if (mark) {
      break;  // it stands before something else
    } else {
      mark = ReadMark(line, number);
    }
  }
  if (mark || in_block) {
    throw std::runtime_error(in_block ? "the last code block has no end"
                                      : "line " + std::to_string(mark->line) +
                                            ": no code block follows on this mark");
  }
  return blocks;
}

bool HoldsLines(std::string_view output, std::string_view expected) {
  std::istringstream have{std::string(output)};
  std::istringstream want{std::string(expected)};
  std::string wanted;
  std::string line;
  while (std::getline(want, wanted)) {
    do {
      if (!std::getline(have, line)) return false;
    } while (line != wanted);
  }
  return true;
}

}  // namespace weir::testing
