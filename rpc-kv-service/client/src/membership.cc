#include <utility>

#include "weir/kv/members.h"
#include "weir/log.h"

namespace weir::kv {

Result<std::unique_ptr<Membership>> Membership::Open(std::shared_ptr<Registry> registry,
                                                     std::string cluster, Listener listener) {
  auto path = MembersPath(cluster);
  if (!path.ok()) return std::move(path).status();
  if (registry->documents() == nullptr) {
    return Unimplemented("this registry keeps no member lists: give zk:// or file:// for cluster " +
                         cluster);
  }
  std::unique_ptr<Membership> membership(new Membership(std::move(registry), std::move(cluster),
                                                        *std::move(path), std::move(listener)));
  if (Status status = membership->Refresh(); !status.ok()) return status;
  auto subscription = membership->registry_->documents()->Watch(
      membership->path_,
      [raw = membership.get()](const Document& document) { raw->Apply(document); });
  if (!subscription.ok()) return std::move(subscription).status();
  membership->subscription_ = *std::move(subscription);
  return membership;
}

Membership::Membership(std::shared_ptr<Registry> registry, std::string cluster, std::string path,
                       Listener listener)
    : registry_(std::move(registry)),
      cluster_(std::move(cluster)),
      path_(std::move(path)),
      listener_(std::move(listener)) {}

Result<std::shared_ptr<const Ownership>> Membership::Current() const {
  const std::lock_guard lock(mutex_);
  if (ownership_ == nullptr) return why_none_;
  return ownership_;
}

Status Membership::Refresh() {
  const auto document = registry_->documents()->Read(path_);
  if (!document.ok()) return document.status();
  Apply(*document);
  return {};
}

void Membership::Apply(const Document& document) {
  const std::lock_guard applying(applying_);
  if (document.version == version_) return;
  version_ = document.version;
  std::shared_ptr<const Ownership> ownership;
  Status why;
  if (document.version < 0) {
    why = FailedPrecondition("cluster " + cluster_ +
                             " has no member list; make it with: weir-kv cluster init ADDRESS...");
  } else if (auto list = MemberList::Parse(document.content); list.ok()) {
    ownership = std::make_shared<const Ownership>(*std::move(list));
  } else {
    why = DataLoss("cluster " + cluster_ + ": " + std::string(list.status().message()) +
                   "; restore the document " + path_);
    LogError(why.message());
  }
  {
    const std::lock_guard lock(mutex_);
    ownership_ = ownership;
    why_none_ = why;
  }
  if (listener_) listener_(ownership, why);
}

}  // namespace weir::kv
