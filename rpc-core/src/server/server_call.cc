// What generated code needs of a call being handled (weir/detail/handler.h, weir/server_context.h).
#include <exception>
#include <string>
#include <utility>

#include "weir/detail/handler.h"
#include "weir/server_context.h"

namespace weir {

void ServerContext::OnCancel(std::function<void()> callback) {
  {
    const std::lock_guard lock(cancel_mutex_);
    if (!cancelled()) {
      on_cancel_ = std::move(callback);
      return;
    }
  }
  callback();
}

CallOptions&& CallOptions::Within(const ServerContext& context) && {
  deadline_ = context.deadline();
  return std::move(*this);
}

namespace detail {

void ServerCall::MarkCancelled() noexcept {
  const std::lock_guard lock(context_.cancel_mutex_);
  context_.cancelled_.store(true, std::memory_order_release);
}

void ServerCall::EmitCancel() {
  MarkCancelled();
  if (const auto callback = TakeCancelCallback()) callback();
  cancellation_.emit(asio::cancellation_type::all);
}

std::function<void()> ServerCall::TakeCancelCallback() noexcept {
  const std::lock_guard lock(context_.cancel_mutex_);
  return std::exchange(context_.on_cancel_, nullptr);
}

bool ParseRequest(ServerCall& call, google::protobuf::MessageLite& request) noexcept {
  const std::string_view body = call.body();
  try {
    if (request.ParseFromArray(body.data(), static_cast<int>(body.size()))) return true;
    call.Fail(InvalidArgument("the request of " + std::string(call.context().method().full_name) +
                              " is not a valid " + request.GetTypeName()));
  } catch (...) {
    FailFromException(call);
  }
  return false;
}

void FailFromException(ServerCall& call) noexcept {
  const std::string method(call.context().method().full_name);
  try {
    throw;
  } catch (const std::exception& error) {
    call.Fail(Internal("the handler of " + method + " threw: " + error.what()));
  } catch (...) {
    call.Fail(Internal("the handler of " + method + " threw"));
  }
}

}  // namespace detail
}  // namespace weir
