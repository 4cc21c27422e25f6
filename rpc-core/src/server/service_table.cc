#include "server/service_table.h"

#include <algorithm>
#include <utility>

namespace weir {

Status ServiceTable::Add(std::unique_ptr<Service> service) {
  const std::string_view name = service->info().full_name;
  for (const auto& known : services_) {
    if (known->info().full_name == name) {
      return AlreadyExists("service " + std::string(name) + " was added to the server twice");
    }
  }
  for (const BoundMethod& method : service->methods()) {
    methods_.emplace(method.info->full_name, ServedMethod{service.get(), &method});
  }
  services_.push_back(std::move(service));
  return {};
}

const ServedMethod* ServiceTable::Find(std::string_view full_method_name) const {
  const auto found = methods_.find(full_method_name);
  return found == methods_.end() ? nullptr : &found->second;
}

Status ServiceTable::Explain(std::string_view full_method_name) const {
  // Names come from the peer: only printable ones are repeated, and only so much of them.
  std::string shown(full_method_name.substr(0, 128));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  const std::string_view service = full_method_name.substr(0, full_method_name.find('/'));
  for (const auto& known : services_) {
    if (known->info().full_name == service) {
      return Unimplemented("service " + std::string(service) + " has no method '" + shown + "'");
    }
  }
  return Unimplemented("no service of method '" + shown + "' is served here");
}

bool ServiceTable::all_block() const noexcept {
  return std::all_of(methods_.begin(), methods_.end(),
                     [](const auto& entry) { return entry.second.bound->info->blocking; });
}

std::vector<std::string> ServiceTable::ServiceNames() const {
  std::vector<std::string> names;
  for (const auto& service : services_) names.emplace_back(service->info().full_name);
  return names;
}

}  // namespace weir
