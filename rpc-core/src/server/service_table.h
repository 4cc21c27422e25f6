// ServiceTable: the methods of a server, by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weir/service.h"
#include "weir/status.h"

namespace weir {

struct ServedMethod {
  Service* service = nullptr;
  const BoundMethod* bound = nullptr;
};

// Filled before the server starts, then constant and shared by its threads.
class ServiceTable {
 public:
  // ALREADY_EXISTS if a service of that name is there.
  Status Add(std::unique_ptr<Service> service);
  // Null if there is none. "greeter.Greeter/Hello".
  const ServedMethod* Find(std::string_view full_method_name) const;
  // Why a method was not found: an unknown service, or a service without that method.
  Status Explain(std::string_view full_method_name) const;
  std::vector<std::string> ServiceNames() const;
  bool empty() const noexcept { return services_.empty(); }
  // True if every method is marked (weir.blocking).
  bool all_block() const noexcept;

 private:
  std::vector<std::unique_ptr<Service>> services_;
  std::unordered_map<std::string_view, ServedMethod> methods_;
};

}  // namespace weir
