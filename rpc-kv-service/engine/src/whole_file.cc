#include "whole_file.h"

#include <algorithm>

namespace weir::kv {

Result<std::string> ReadWholeFile(Vfs& vfs, const std::string& path, std::uint64_t most) {
  const auto file = vfs.Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  const auto size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > most) {
    return DataLoss(path + ": has " + std::to_string(*size) + " bytes, more than it can have");
  }
  std::string bytes(*size, '\0');
  const auto read = (*file)->Read(0, bytes.data(), bytes.size());
  if (!read.ok()) return read.status();
  bytes.resize(*read);
  return bytes;
}

Status WriteNewFile(Vfs& vfs, const std::string& path, std::string_view bytes) {
  const auto file = vfs.Open(path, OpenMode::kCreateNew);
  if (!file.ok()) return file.status();
  if (Status status = (*file)->Write(0, {&bytes, 1}); !status.ok()) return status;
  return (*file)->Sync();
}

Status RemoveIfThere(Vfs& vfs, const std::string& path) {
  Status status = vfs.Remove(path);
  return status.code() == StatusCode::kNotFound ? Status() : status;
}

std::string_view TrimSlashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

std::string ParentOf(std::string_view path) {
  path = TrimSlashes(path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<std::size_t>(slash, 1)));
}

}  // namespace weir::kv
