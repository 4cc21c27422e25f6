// The requests of a session: each is one asynchronous call of the client library.
#include <array>
#include <utility>

#include "zookeeper/session_handle.h"

namespace weir::discovery {
namespace {

// With credentials only their holders change our nodes, but everybody reads them.
std::array<ACL, 2> g_creator_acls;
const ACL_vector* AccessFor(const ZkUrl& url) {
  if (url.credentials.empty()) return &ZOO_OPEN_ACL_UNSAFE;
  static const ACL_vector restricted = [] {
    g_creator_acls[0] = {ZOO_PERM_ALL, ZOO_AUTH_IDS};
    g_creator_acls[1] = {ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE};
    return ACL_vector{2, g_creator_acls.data()};
  }();
  return &restricted;
}

void Fill(ZkReply& reply, const Stat* stat) {
  if (stat == nullptr) return;
  reply.version = stat->version;
  reply.owner = static_cast<std::uint64_t>(stat->ephemeralOwner);
  reply.created_ms = stat->ctime;
}

}  // namespace

// One request under way. Deleted by its completion, which the library calls exactly once.
struct ZkSession::Call {
  ZkSession* session;
  Executor* executor;
  Handle* handle;  // that it went to; null when there was none
  std::uint64_t id;
  // For Replace: the library writes here until it completes.
  std::string path;
  std::array<zoo_op_t, 2> operations{};
  std::array<zoo_op_result_t, 2> results{};

  void Complete(ZkReply reply) {
    executor->Post([target = session, call = id, answer = std::move(reply)]() mutable {
      target->Finish(call, std::move(answer));
    });
    if (handle != nullptr) --handle->open_calls;
    delete this;
  }
  static Call* Of(const void* context) { return static_cast<Call*>(const_cast<void*>(context)); }

  static void OnStat(int code, const Stat* stat, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK) Fill(reply, stat);
    Of(context)->Complete(std::move(reply));
  }
  static void OnData(int code, const char* data, int size, const Stat* stat, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK) {
      Fill(reply, stat);
      if (data != nullptr && size > 0) reply.data.assign(data, static_cast<std::size_t>(size));
    }
    Of(context)->Complete(std::move(reply));
  }
  static void OnStrings(int code, const String_vector* strings, const void* context) {
    ZkReply reply{.code = code, .data = {}, .children = {}};
    if (code == ZOK && strings != nullptr) {
      reply.children.assign(strings->data, strings->data + strings->count);
    }
    Of(context)->Complete(std::move(reply));
  }
  static void OnString(int code, const char*, const void* context) { OnVoid(code, context); }
  static void OnVoid(int code, const void* context) {
    Of(context)->Complete({.code = code, .data = {}, .children = {}});
  }
};

ZkSession::Call* ZkSession::NewCall(Done done) {
  pending_[next_call_] = std::move(done);
  if (handle_) ++handle_->open_calls;
  return new Call{.session = this,
                  .executor = &executor_,
                  .handle = handle_.get(),
                  .id = next_call_++,
                  .path = {}};
}

void ZkSession::Started(int code, Call* call) {
  if (code != ZOK) call->Complete({.code = code, .data = {}, .children = {}});
}

void ZkSession::Finish(std::uint64_t call, ZkReply reply) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;
  const Done done = std::move(found->second);
  pending_.erase(found);
  answered_ = answered_ || !IsConnectionFailure(reply.code);
  done(std::move(reply));
}

void ZkSession::Exists(const std::string& path, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awexists(handle_->zk, path.c_str(), Handle::OnNode, handle_.get(),
                                 Call::OnStat, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Get(const std::string& path, bool watch, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awget(handle_->zk, path.c_str(), watch ? Handle::OnNode : nullptr,
                              handle_.get(), Call::OnData, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Children(const std::string& path, bool watch, Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_awget_children(handle_->zk, path.c_str(), watch ? Handle::OnNode : nullptr,
                                       handle_.get(), Call::OnStrings, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Create(const std::string& path, const std::string& data, bool ephemeral,
                       Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_
              ? zoo_acreate(handle_->zk, path.c_str(), data.data(), static_cast<int>(data.size()),
                            AccessFor(url_), ephemeral ? ZOO_EPHEMERAL : 0, Call::OnString, call)
              : ZINVALIDSTATE,
          call);
}

void ZkSession::Set(const std::string& path, const std::string& data, std::int32_t version,
                    Done done) {
  Call* call = NewCall(std::move(done));
  Started(handle_ ? zoo_aset(handle_->zk, path.c_str(), data.data(), static_cast<int>(data.size()),
                             version, Call::OnStat, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::Delete(const std::string& path, std::int32_t version, Done done) {
  Call* call = NewCall(std::move(done));
  Started(
      handle_ ? zoo_adelete(handle_->zk, path.c_str(), version, Call::OnVoid, call) : ZINVALIDSTATE,
      call);
}

void ZkSession::Replace(const std::string& path, const std::string& data, std::int32_t version,
                        Done done) {
  Call* call = NewCall(std::move(done));
  call->path = path;
  zoo_delete_op_init(&call->operations[0], call->path.c_str(), version);
  zoo_create_op_init(&call->operations[1], call->path.c_str(), data.data(),
                     static_cast<int>(data.size()), AccessFor(url_), ZOO_EPHEMERAL, nullptr, 0);
  Started(handle_ ? zoo_amulti(handle_->zk, 2, call->operations.data(), call->results.data(),
                               Call::OnVoid, call)
                  : ZINVALIDSTATE,
          call);
}

void ZkSession::CreateParents(const std::string& path, Done done) {
  CreateAncestor(path, path.find('/', 1), std::move(done));
}

// Only the last answer counts: one may lack the right to create at the top and have it below.
void ZkSession::CreateAncestor(const std::string& path, std::size_t from, Done done) {
  const std::size_t next = path.find('/', from + 1);
  Create(path.substr(0, from), "", false,
         [this, path, next, finished = std::move(done)](ZkReply reply) {
           if (reply.code == ZNODEEXISTS) reply.code = ZOK;
           if (next == std::string::npos || IsConnectionFailure(reply.code)) {
             finished(std::move(reply));
           } else {
             CreateAncestor(path, next, finished);
           }
         });
}

bool IsConnectionFailure(int code) {
  return code == ZCONNECTIONLOSS || code == ZSESSIONEXPIRED || code == ZSESSIONMOVED ||
         code == ZCLOSING || code == ZOPERATIONTIMEOUT || code == ZINVALIDSTATE ||
         code == ZAUTHFAILED;
}

std::string ZkError(int code) {
  if (code == ZNOAUTH) return "not authorised (NOAUTH); give the URL credentials that are";
  return zerror(code);
}

}  // namespace weir::discovery
