#include "weir/generic_stub.h"

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "weir/options.pb.h"

namespace weir {

// What the views in ServiceInfo and MethodInfo point to.
struct DescribedService::Names {
  std::string service;
  std::vector<std::string> full_names;
  std::vector<MethodInfo> methods;
};

DescribedService::DescribedService(const google::protobuf::ServiceDescriptor& service)
    : names_([&] {
        auto names = std::make_unique<Names>();
        names->service = service.full_name();
        for (int i = 0; i < service.method_count(); ++i) {
          names->full_names.push_back(service.full_name() + "/" + service.method(i)->name());
        }
        for (int i = 0; i < service.method_count(); ++i) {
          const auto& options = service.method(i)->options();
          names->methods.push_back(
              {.full_name = names->full_names[static_cast<std::size_t>(i)],
               .index = static_cast<std::uint32_t>(i),
               .idempotent = options.idempotency_level() !=
                             google::protobuf::MethodOptions::IDEMPOTENCY_UNKNOWN,
               .blocking = options.GetExtension(weir::blocking)});
        }
        return names;
      }()),
      info_{.full_name = names_->service, .methods = names_->methods} {}

DescribedService::~DescribedService() = default;

const MethodInfo& DescribedService::method(
    const google::protobuf::MethodDescriptor& method) const noexcept {
  return info_.methods[static_cast<std::size_t>(method.index())];
}

}  // namespace weir
