// The methods of the store as OwnedCall wants them.
#pragma once

#include <string>
#include <utility>

#include "weir/kv/kv.weir.h"
#include "weir/kv/refusal.h"

namespace weir::kv {

struct PutMethod {
  using Request = PutRequest;
  using Reply = PutReply;
  template <class Handler>
  static void Start(const Kv::Stub& stub, const Request& request, CallOptions options,
                    Handler handler) {
    stub.Put(request, std::move(options), std::move(handler));
  }
  static std::string What(const Request& request) { return "key " + QuoteKey(request.key()); }
};

struct GetMethod {
  using Request = GetRequest;
  using Reply = GetReply;
  template <class Handler>
  static void Start(const Kv::Stub& stub, const Request& request, CallOptions options,
                    Handler handler) {
    stub.Get(request, std::move(options), std::move(handler));
  }
  static std::string What(const Request& request) { return "key " + QuoteKey(request.key()); }
};

struct DeleteMethod {
  using Request = DeleteRequest;
  using Reply = DeleteReply;
  template <class Handler>
  static void Start(const Kv::Stub& stub, const Request& request, CallOptions options,
                    Handler handler) {
    stub.Delete(request, std::move(options), std::move(handler));
  }
  static std::string What(const Request& request) { return "key " + QuoteKey(request.key()); }
};

struct WriteMethod {
  using Request = BatchRequest;
  using Reply = BatchReply;
  template <class Handler>
  static void Start(const Kv::Stub& stub, const Request& request, CallOptions options,
                    Handler handler) {
    stub.Write(request, std::move(options), std::move(handler));
  }
  static std::string What(const Request& request) {
    return "the batch with key " + QuoteKey(request.steps(0).key());
  }
};

}  // namespace weir::kv
