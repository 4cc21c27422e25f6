// Stands for weir/service.h where only the stubs of a generated header are looked at.
#pragma once

#include <span>

#include "weir/method.h"
#include "weir/status.h"

namespace weir {

struct BoundMethod {};

class Service {
 public:
  virtual ~Service() = default;
  virtual const ServiceInfo& info() const noexcept = 0;
  virtual std::span<const BoundMethod> methods() const noexcept = 0;
};

template <class Self, class Request, class Reply, auto Method>
constexpr BoundMethod Bind(const MethodInfo&) noexcept {
  return {};
}

namespace detail {
template <class Self, class Request, class Reply, auto Method>
concept AnyHandler = true;
template <class Self, class Request, class Reply, auto Method>
concept PlainHandler = true;
}  // namespace detail

}  // namespace weir
