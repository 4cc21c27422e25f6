#include "file/operator.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "file/node_file.h"
#include "node.h"
#include "weir/address.h"

namespace weir::discovery {
namespace {

Status Unreadable(const std::string& url, const std::string& path, const std::error_code& error) {
  std::string message = url + ": cannot read " + path + ": " + error.message();
  if (error.value() == EACCES) return PermissionDenied(message + "; give this user read access");
  return Unavailable(std::move(message));
}

}  // namespace

Result<std::vector<ProviderEntry>> InspectFolder(const std::string& url, const std::string& root,
                                                 std::string_view service) {
  if (Status status = CheckService(service); !status.ok()) return status;
  const NodeFolder folder(root, std::string(service));
  std::error_code error;
  std::vector<ProviderEntry> entries;
  std::filesystem::directory_iterator file(folder.nodes, error);
  if (error == std::errc::no_such_file_or_directory) {
    if (std::filesystem::is_directory(root, error)) return entries;
    if (!error) error = std::make_error_code(std::errc::no_such_file_or_directory);
    return Unreadable(url, root, error);
  }
  for (const std::filesystem::directory_iterator end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().filename().string();
    const std::string address = NodeAddress(name);
    if (!IsProviderName(address, Reach::kMachine)) continue;
    NodeState node = ProbeNode(folder.nodes, name);
    if (node.kind == NodeState::Kind::kUnknown) {
      error = {node.error, std::generic_category()};
      return Unreadable(url, file->path().string(), error);
    }
    if (node.kind != NodeState::Kind::kAlive) continue;
    entries.push_back({.address = address,
                       .weight_text = node.content,
                       .weight = EffectiveWeight(node.content),
                       .since = NodeTime(file->path().string()),
                       .facts = ReadNodeFacts(folder, name)});
  }
  if (error) return Unreadable(url, folder.nodes, error);
  std::sort(entries.begin(), entries.end(),
            [](const ProviderEntry& a, const ProviderEntry& b) { return a.address < b.address; });
  return entries;
}

Status ReweighInFolder(const std::string& url, const std::string& root, std::string_view service,
                       std::string_view address, std::int32_t weight) {
  Instance instance{std::string(service), std::string(address), weight};
  if (Status status = CheckInstance(instance, Reach::kMachine); !status.ok()) return status;
  const std::string node = NodeFolder(root, instance.service).nodes + "/" +
                           NodeName(Address::Parse(address)->ToString());
  const Status status = ReweighNode(node, weight);
  if (status.ok()) return status;
  return {status.code(), url + ": " + std::string(status.message())};
}

}  // namespace weir::discovery
