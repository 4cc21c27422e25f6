#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "weir/runtime.h"

namespace weir {
namespace {

struct Named {
  ThreadModel model;
  std::string_view name;
};

// In the order of the enumeration.
constexpr Named kNames[] = {
    {ThreadModel::kSingleReactor, "single_reactor"},
    {ThreadModel::kSingleReactorWorkers, "single_reactor_workers"},
    {ThreadModel::kMultiReactor, "multi_reactor"},
    {ThreadModel::kMultiReactorWorkers, "multi_reactor_workers"},
    {ThreadModel::kIoThreads, "io_threads"},
    {ThreadModel::kPrefork, "prefork"},
    {ThreadModel::kProactor, "proactor"},
};

constexpr auto kModels = [] {
  std::array<ThreadModel, std::size(kNames)> models{};
  std::ranges::transform(kNames, models.begin(), &Named::model);
  return models;
}();

}  // namespace

std::string_view ThreadModelName(ThreadModel model) noexcept {
  const auto* found = std::ranges::find(kNames, model, &Named::model);
  return found == std::end(kNames) ? "unknown" : found->name;
}

std::span<const ThreadModel> AllThreadModels() noexcept {
  return kModels;
}

Result<ThreadModel> ParseThreadModel(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &Named::name);
  if (found != std::end(kNames)) return found->model;
  std::string known;
  for (const Named& one : kNames) known += (known.empty() ? "" : ", ") + std::string(one.name);
  return InvalidArgument("unknown thread model '" + std::string(name) + "'; there are " + known);
}

}  // namespace weir
