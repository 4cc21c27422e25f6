#include "zookeeper/documents.h"

#include <zookeeper/zookeeper.h>

#include <optional>
#include <utility>

#include "node.h"
#include "weir/log.h"

namespace weir::discovery {

std::string ZkDocuments::Node(std::string_view path) const {
  return url_.root + "-" + std::string(path);
}

Result<ZkReply> ZkDocuments::Await(Request request) {
  if (executor_.InThread()) {
    return FailedPrecondition(url_.text + ": " + request.node +
                              " cannot be reached from a listener, which must not block");
  }
  const std::string node = request.node;
  const auto answer = request.answer = std::make_shared<Awaited<ZkReply>>();
  executor_.Post([this, shared = std::make_shared<Request>(std::move(request))] { Start(shared); });
  if (std::optional<ZkReply> reply = answer->Wait(kDocumentTimeout)) return *std::move(reply);
  const RegistryHealth health = session_.health();
  return Unavailable(url_.text + ": no answer about " + node + " within " +
                     std::to_string(kDocumentTimeout.count()) + " ms" +
                     (health.connected ? "; is ZooKeeper overloaded?"
                                       : ": " + health.trouble + ". Start it or correct the URL"));
}

Result<Document> ZkDocuments::Read(std::string_view path) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  Result<ZkReply> reply = Await({.node = Node(path), .content = {}, .answer = {}});
  if (!reply.ok()) return std::move(reply).status();
  if (reply->code == ZNONODE) return Document{};
  if (reply->code != ZOK) return Unavailable(Node(path) + ": " + ZkError(reply->code));
  return Document{std::move(reply->data), reply->version};
}

Result<std::int64_t> ZkDocuments::Write(std::string_view path, std::string_view content,
                                        std::int64_t expected_version) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  const std::string node = Node(path);
  const Result<ZkReply> reply = Await({.node = node,
                                       .write = true,
                                       .content = std::string(content),
                                       .expected_version = expected_version,
                                       .answer = {}});
  if (!reply.ok()) return reply.status();
  switch (reply->code) {
    case ZOK:
      return expected_version + 1;
    case ZNODEEXISTS:
    case ZBADVERSION:
    case ZNONODE:
      return Aborted("document " + node + " no longer has version " +
                     std::to_string(expected_version) + "; read it again");
    case ZNOAUTH:
      return PermissionDenied("document " + node + ": " + ZkError(reply->code));
    default:
      return Unavailable("document " + node + ": " + ZkError(reply->code));
  }
}

Result<std::vector<std::string>> ZkDocuments::List(const std::string& node) {
  Result<ZkReply> reply = Await({.node = node, .list = true, .content = {}, .answer = {}});
  if (!reply.ok()) return std::move(reply).status();
  if (reply->code == ZNONODE) return std::vector<std::string>();
  if (reply->code != ZOK) return Unavailable(node + ": " + ZkError(reply->code));
  return std::move(reply->children);
}

void ZkDocuments::Start(const std::shared_ptr<Request>& request) {
  // A caller that was told of the failure must not find it done much later.
  if (request->answer->abandoned()) return;
  if (!session_.connected()) {
    waiting_.push_back(request);
    return;
  }
  const auto answered = [this, request](ZkReply reply) { OnAnswer(request, std::move(reply)); };
  if (request->list) return session_.Children(request->node, false, answered);
  if (!request->write) return session_.Get(request->node, /*watch=*/false, answered);
  request->uncertain ? Verify(request) : StartWrite(request);
}

void ZkDocuments::StartWrite(const std::shared_ptr<Request>& request) {
  const auto answered = [this, request](ZkReply reply) { OnAnswer(request, std::move(reply)); };
  if (request->expected_version >= 0) {
    return session_.Set(request->node, request->content,
                        static_cast<std::int32_t>(request->expected_version), answered);
  }
  session_.CreateParents(request->node, [this, request, answered](ZkReply reply) {
    if (reply.code != ZOK) return OnAnswer(request, std::move(reply));
    session_.Create(request->node, request->content, false, answered);
  });
}

// The connection broke while the server may have been writing: our own content in the version we
// wanted is success, the old version means that nothing happened.
void ZkDocuments::Verify(const std::shared_ptr<Request>& request) {
  session_.Get(request->node, /*watch=*/false, [this, request](ZkReply reply) {
    const std::int64_t now = reply.code == ZOK ? reply.version : -1;
    if (reply.code != ZOK && reply.code != ZNONODE) return OnAnswer(request, std::move(reply));
    if (now == request->expected_version) return StartWrite(request);
    const bool ours = now == request->expected_version + 1 && reply.data == request->content;
    reply.code = ours ? ZOK : ZBADVERSION;
    OnAnswer(request, std::move(reply));
  });
}

void ZkDocuments::OnAnswer(const std::shared_ptr<Request>& request, ZkReply reply) {
  if (IsConnectionFailure(reply.code)) {
    request->uncertain = request->write;
    waiting_.push_back(request);
    return;
  }
  request->answer->Give(std::move(reply));
}

void ZkDocuments::OnConnected() {
  std::list<std::shared_ptr<Request>> waiting;
  waiting.swap(waiting_);
  for (const auto& request : waiting) Start(request);
  for (const auto& [node, feed] : followed_) Refresh(node);
}

Result<std::unique_ptr<Subscription>> ZkDocuments::Watch(std::string_view path,
                                                         DocumentListener listener) {
  if (Status status = CheckDocumentPath(path); !status.ok()) return status;
  const std::string node = Node(path);
  auto slot = std::make_shared<DocumentSlot>(std::move(listener));
  executor_.Post([this, node, slot] {
    followed_[node].Add(slot);
    Refresh(node);
  });
  return std::unique_ptr<Subscription>(
      std::make_unique<SlotSubscription<Document>>(slot, [this, node, slot] {
        executor_.Post([this, node, slot] {
          followed_[node].Remove(slot);
          if (followed_[node].empty()) followed_.erase(node);
        });
      }));
}

bool ZkDocuments::OnChange(const std::string& node) {
  if (!followed_.contains(node)) return false;
  Refresh(node);
  return true;
}

void ZkDocuments::Refresh(const std::string& node) {
  if (!session_.connected()) return;
  session_.Get(node, /*watch=*/true, [this, node](ZkReply reply) {
    if (reply.code == ZOK) return Publish(node, {std::move(reply.data), reply.version});
    if (reply.code != ZNONODE) {
      if (!IsConnectionFailure(reply.code) && unreadable_.insert(node).second) {
        LogWarning(url_.text + ": cannot read the document " + node + ": " + ZkError(reply.code));
      }
      return;
    }
    // A read sets no watch on what is not there; this does.
    session_.Exists(node, [this, node](const ZkReply& seen) {
      if (seen.code == ZNONODE) Publish(node, {});
      if (seen.code == ZOK) Refresh(node);
    });
  });
}

void ZkDocuments::Publish(const std::string& node, Document document) {
  const auto feed = followed_.find(node);
  if (feed == followed_.end()) return;
  unreadable_.erase(node);
  const auto& last = feed->second.last();
  if (last && last->version == document.version && last->content == document.content) return;
  feed->second.Publish(std::move(document));
}

}  // namespace weir::discovery
