// Client of a store: finds the owner of a key and asks it.
//
//   auto client = weir::kv::Client::Open("zk://127.0.0.1:2181/rpc", {.cluster = "main"});
//   if (!client.ok()) ...
//   weir::Status put = (*client)->Put("k", "v");
//   weir::Result<std::string> value = (*client)->Get("k");                       // blocking
//   weir::Result<std::string> same = co_await (*client)->Get("k", asio::use_awaitable);
//
// A key belongs to one member of the cluster, alive or not (weir/kv/members.h). If that one cannot
// be reached the answer is UNAVAILABLE and names it; no other is asked, and it is never "not
// found". When the member list changes the client learns of it, at the latest because a provider
// refuses its old epoch; the request is then routed anew.
#pragma once

#include <asio/async_result.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/channel.h"
#include "weir/kv/detail/completion.h"
#include "weir/kv/kv.weir.h"
#include "weir/kv/members.h"
#include "weir/runtime.h"
#include "weir/status.h"

namespace weir::kv {

class ClientCore;

struct ClientOptions {
  // Whose member list tells the owners. Empty: there is none, and exactly one provider must be
  // registered, which owns every key.
  std::string cluster{};
  // An operation ends with DEADLINE_EXCEEDED this long after its start.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  // The threads it runs on; null: one of its own.
  std::shared_ptr<Runtime> runtime{};
};

// Several puts and deletes, applied all or none. All keys must have one owner. A value.
class Batch {
 public:
  Batch& Put(std::string_view key, std::string_view value);
  Batch& Delete(std::string_view key);
  const BatchRequest& request() const noexcept { return request_; }

 private:
  BatchRequest request_;
};

// Which keys a scan visits: those that are >= start, < end and begin with prefix. (No aggregate:
// see CallOptions.)
class ScanQuery {
 public:
  ScanQuery() noexcept {}  // NOLINT: user-provided, so that it is no aggregate
  ScanQuery&& WithPrefix(std::string text) && { return prefix = std::move(text), std::move(*this); }
  ScanQuery&& WithStart(std::string key) && { return start = std::move(key), std::move(*this); }
  ScanQuery&& WithEnd(std::string key) && { return end = std::move(key), std::move(*this); }
  ScanQuery&& WithLimit(std::uint32_t keys) && { return limit = keys, std::move(*this); }
  ScanQuery&& KeysOnly() && { return keys_only = true, std::move(*this); }

  std::string prefix;          // empty: any
  std::string start;           // inclusive
  std::string end;             // exclusive; empty: no end
  std::uint32_t limit = 1000;  // most keys of a page, at least 1
  bool keys_only = false;      // values stay empty
};

struct KeyValue {
  std::string key;
  std::string value;

  friend bool operator==(const KeyValue&, const KeyValue&) = default;
};

// Some of the keys of a scan, in order, of all members together.
struct ScanPage {
  std::vector<KeyValue> entries;  // may be fewer than the limit, even none, although there is more
  bool more = false;
  std::string next;  // if there is more: the `start` to go on with
};

namespace detail {
void StartCall(const std::shared_ptr<ClientCore>& core, PutRequest request,
               Completion<Status> done);
void StartCall(const std::shared_ptr<ClientCore>& core, GetRequest request,
               Completion<Result<std::string>> done);
void StartCall(const std::shared_ptr<ClientCore>& core, DeleteRequest request,
               Completion<Status> done);
void StartCall(const std::shared_ptr<ClientCore>& core, BatchRequest request,
               Completion<Status> done);
void StartCall(const std::shared_ptr<ClientCore>& core, ScanQuery query,
               Completion<Result<ScanPage>> done);
}  // namespace detail

// A resource; thread-safe. Blocking forms must not be called on a thread of its runtime
// (FAILED_PRECONDITION); the others take any Asio completion token. Arguments need not outlive the
// call. Errors, beside those of the way:
//   NOT_FOUND            Get: the key's owner says that there is no such key
//   UNAVAILABLE          the owner, which is named, cannot be reached; a write may have been
//   applied
//                        if the message says "may have run"
//   FAILED_PRECONDITION  no member list, or the owner does not serve (the message says why)
//   INVALID_ARGUMENT     key or value too large, keys of a batch with different owners
//   CANCELLED            the client was destroyed
class Client {
 public:
  // Opens the registry and reads the member list, which must exist (FAILED_PRECONDITION). Blocks,
  // at most for the timeout or kDocumentTimeout.
  static Result<std::unique_ptr<Client>> Open(std::string_view registry_url,
                                              ClientOptions options = {});
  ~Client();  // ends what runs with CANCELLED; not on a thread of its runtime
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Status Put(std::string_view key, std::string_view value, Durability durability = AS_SERVER);
  Result<std::string> Get(std::string_view key);
  Status Delete(std::string_view key, Durability durability = AS_SERVER);  // OK if it is not there
  Status Write(const Batch& batch, Durability durability = AS_SERVER);
  // Fails if any member does: a scan never leaves out keys silently.
  Result<ScanPage> Scan(const ScanQuery& query);

  // The same; `token` is completed with void(Status), void(Result<std::string>),
  // void(Result<ScanPage>).
  template <class Token>
  auto Put(std::string_view key, std::string_view value, Durability durability, Token&& token) {
    return Initiate<Status>(token, MakePut(key, value, durability));
  }
  template <class Token>
  auto Get(std::string_view key, Token&& token) {
    return Initiate<Result<std::string>>(token, MakeGet(key));
  }
  template <class Token>
  auto Delete(std::string_view key, Durability durability, Token&& token) {
    return Initiate<Status>(token, MakeDelete(key, durability));
  }
  template <class Token>
  auto Write(const Batch& batch, Durability durability, Token&& token) {
    return Initiate<Status>(token, MakeWrite(batch, durability));
  }
  template <class Token>
  auto Scan(const ScanQuery& query, Token&& token) {
    return Initiate<Result<ScanPage>>(token, query);
  }

  // The address of the owner of a key, alive or not.
  Result<std::string> OwnerOf(std::string_view key) const;
  // The newest member list known; FAILED_PRECONDITION without a cluster.
  Result<std::shared_ptr<const Ownership>> Members() const;
  // What a provider says of itself.
  Result<StatsReply> Stats(const std::string& address);
  // For calls of other methods, such as Ping.
  const Channel& channel() const noexcept { return *channel_; }

 private:
  Client(std::unique_ptr<Channel> channel, std::shared_ptr<ClientCore> core);

  static PutRequest MakePut(std::string_view key, std::string_view value, Durability durability);
  static GetRequest MakeGet(std::string_view key);
  static DeleteRequest MakeDelete(std::string_view key, Durability durability);
  static BatchRequest MakeWrite(const Batch& batch, Durability durability);

  template <class Outcome, class Token, class Request>
  auto Initiate(Token& token, Request request) {
    return asio::async_initiate<Token, void(Outcome)>(
        [core = core_](auto handler, Request started) {
          detail::StartCall(core, std::move(started),
                            detail::Completion<Outcome>(std::move(handler)));
        },
        token, std::move(request));
  }
  template <class Outcome, class Request>
  Outcome Wait(Request request);

  std::unique_ptr<Channel> channel_;
  std::shared_ptr<ClientCore> core_;
};

}  // namespace weir::kv
