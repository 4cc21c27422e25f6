// weir call: one call to any method, request and reply as JSON.
#include <cstdio>
#include <string>

#include "commands.h"
#include "prepared_call.h"
#include "text.h"

namespace weir::tool {

int FailCall(const Status& status) {
  std::fprintf(stderr, "error: %s: %s\n", std::string(StatusCodeName(status.code())).c_str(),
               Printable(status.message()).c_str());
  return kFailed;
}

int Call(const CallRequest& request) {
  const Result<PreparedCall> call = Prepare(request);
  if (!call.ok()) return Fail(call.status());
  const Channel channel(call->url, {.load_balance = request.load_balance,
                                    .connect_timeout = request.timeout,
                                    .registry_patience = request.timeout});
  if (!channel.status().ok()) return Fail(channel.status());
  const GenericStub stub(channel, call->service->info());
  const auto reply = call->NewReply();
  const Status status = stub.Call(call->info(), *call->message, *reply, call->options, call->key);
  if (!status.ok()) return FailCall(status);
  const Result<std::string> json = JsonFromMessage(*reply);
  if (!json.ok()) return FailCall(json.status());
  std::fputs(json->c_str(), stdout);
  return kOk;
}

}  // namespace weir::tool
