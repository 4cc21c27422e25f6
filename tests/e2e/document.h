// A Markdown document whose code blocks are tried: what its marks say is done, in order.
//
// A mark is an HTML comment, which readers do not see, on the line before the block:
//   <!-- file: consumer.cc -->      the block is that file of the reader's project; a later block
//   of
//                                   the same name replaces it
//   <!-- run -->                    bash runs the block in the project; it must succeed
//   <!-- run, fails -->             it must not
//   <!-- run in background -->      each line is a program of its own that goes on running; it is
//                                   ended with SIGTERM at the end and must then exit with 0
//   <!-- output -->                 the last run printed these lines, in this order, among others
// Blocks without a mark are only for the reader.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::testing {

enum class BlockKind { kFile, kRun, kRunFails, kRunInBackground, kOutput };

struct Block {
  BlockKind kind = BlockKind::kFile;
  std::string file;  // of kFile
  std::string text;  // ends with a line feed
  int line = 0;      // of the mark, in the document
};

// The marked blocks of a document. Throws std::runtime_error, naming the line, for a mark without a
// block and a block without an end.
std::vector<Block> MarkedBlocks(std::string_view document);

// True if `output` holds all lines of `expected`, in that order.
bool HoldsLines(std::string_view output, std::string_view expected);

}  // namespace weir::testing
