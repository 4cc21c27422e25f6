// What generated services are made of, and what handlers see: ServerContext, Reply<T>, and the
// three forms of a handler, told apart by their signature at compile time.
//
// Plain:
//   weir::Result<HelloReply> Hello(weir::ServerContext&, const HelloRequest&);
// Coroutine:
//   asio::awaitable<weir::Result<HelloReply>> Hello(weir::ServerContext&, const HelloRequest&);
// Deferred:
//   void Hello(weir::ServerContext&, const HelloRequest&, weir::Reply<HelloReply>);
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "weir/detail/handler.h"
#include "weir/method.h"
#include "weir/server_context.h"
#include "weir/status.h"

namespace weir {

// A method bound to the class that handles it.
struct BoundMethod {
  const MethodInfo* info = nullptr;
  detail::HandlerForm form = detail::HandlerForm::kPlain;
  detail::RunHandler run = nullptr;
};

// A service that can be added to a Server. Generated classes derive from it; users derive from
// those. Handlers of one service object run on several threads at once (ThreadModel tells which).
class Service {
 public:
  virtual ~Service() = default;
  virtual const ServiceInfo& info() const noexcept = 0;
  // One entry per method of info(), in order, with static storage.
  virtual std::span<const BoundMethod> methods() const noexcept = 0;
};

// Binds &Self::Method, reading its form from its signature.
template <class Self, class Request, class Reply, auto Method>
constexpr BoundMethod Bind(const MethodInfo& info) noexcept {
  using Handler = detail::Handler<Self, Request, Reply, Method>;
  return BoundMethod{&info, Handler::kForm, &Handler::Run};
}

}  // namespace weir
