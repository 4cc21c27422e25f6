// Small files, read and written in one go.
#pragma once

#include <string>
#include <string_view>

#include "weir/kv/vfs.h"

namespace weir::kv {

// All of a file of at most `most` bytes; DATA_LOSS if it has more.
Result<std::string> ReadWholeFile(Vfs& vfs, const std::string& path, std::uint64_t most);
// Makes a file that must not exist, with these contents, synced. The name is not durable yet.
Status WriteNewFile(Vfs& vfs, const std::string& path, std::string_view bytes);
// Removes a file, if it is there.
Status RemoveIfThere(Vfs& vfs, const std::string& path);

// The directory that holds `path`: "." for a bare name.
std::string ParentOf(std::string_view path);
// Without slashes at the end.
std::string_view TrimSlashes(std::string_view path);

}  // namespace weir::kv
