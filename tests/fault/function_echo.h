// An Echo service whose every method does what a test says.
#pragma once

#include <functional>
#include <utility>

#include "core/echo_service.h"

namespace weir::test {

class FunctionEcho final : public Echo::Service<FunctionEcho> {
 public:
  using Plainly = std::function<Result<EchoReply>(ServerContext&, const EchoRequest&)>;
  using Later = std::function<void(ServerContext&, const EchoRequest&, weir::Reply<EchoReply>)>;

  FunctionEcho(Plainly plain, Later deferred)
      : plain_(std::move(plain)), deferred_(std::move(deferred)) {}

  Result<EchoReply> Plain(ServerContext& context, const EchoRequest& request) {
    return plain_(context, request);
  }
  asio::awaitable<Result<EchoReply>> Coroutine(ServerContext& context, const EchoRequest& request) {
    co_return plain_(context, request);
  }
  void Deferred(ServerContext& context, const EchoRequest& request, weir::Reply<EchoReply> reply) {
    deferred_(context, request, std::move(reply));
  }
  Result<EchoReply> Blocking(ServerContext& context, const EchoRequest& request) {
    return plain_(context, request);
  }
  Result<EchoReply> Idempotent(ServerContext& context, const EchoRequest& request) {
    return plain_(context, request);
  }

 private:
  Plainly plain_;
  Later deferred_;
};

}  // namespace weir::test
