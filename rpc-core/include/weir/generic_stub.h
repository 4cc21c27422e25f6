// Calls without generated code: to methods that are known by their descriptors alone.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "weir/stub.h"

namespace google::protobuf {
class MethodDescriptor;
class ServiceDescriptor;
}  // namespace google::protobuf

namespace weir {

// What generated code says about a service, made from its descriptor: names, positions,
// idempotency_level, (weir.blocking). A resource; outlives the calls that are made with it.
class DescribedService {
 public:
  explicit DescribedService(const google::protobuf::ServiceDescriptor& service);
  ~DescribedService();
  DescribedService(const DescribedService&) = delete;
  DescribedService& operator=(const DescribedService&) = delete;

  const ServiceInfo& info() const noexcept { return info_; }
  // `method` belongs to the service.
  const MethodInfo& method(const google::protobuf::MethodDescriptor& method) const noexcept;

 private:
  struct Names;
  const std::unique_ptr<const Names> names_;
  ServiceInfo info_;
};

// A stub whose methods are values: stub.Call(service.method(descriptor), request, reply). A value
// as generated stubs are: cheap to copy, thread-safe, keeps the channel's core alive.
class GenericStub : public StubBase {
 public:
  GenericStub(const Channel& channel, const ServiceInfo& service) : StubBase(channel, service) {}

  // Blocks the calling thread, as the blocking functions of generated stubs do. `request` and
  // `reply` are of the method's types, a DynamicMessage for example. After a failure `reply` is
  // unspecified.
  Status Call(const MethodInfo& method, const google::protobuf::MessageLite& request,
              google::protobuf::MessageLite& reply, CallOptions options = {},
              std::optional<std::string_view> key = {}) const {
    return CallInto(method, request, reply, std::move(options), key);
  }

  // Completes `token` with void(Result<Reply>), as generated stubs do. Reply is a message, or any
  // type that can be default-constructed and moved and takes the serialised reply, in place of what
  // it held before, by
  //   bool ParseFromArray(const void* data, int size);  // false: it is malformed
  template <class Reply, class CompletionToken>
  auto Call(const MethodInfo& method, const google::protobuf::MessageLite& request,
            CallOptions options, std::optional<std::string_view> key,
            CompletionToken&& token) const {
    return StubBase::Call<Reply>(method, request, std::move(options), key,
                                 std::forward<CompletionToken>(token));
  }
};

}  // namespace weir
