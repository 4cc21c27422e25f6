// Who owns which key of a cluster: the member list, and the ring that is built from it.
//
// The list is a document of the registry, "kv/<cluster>/members", changed only by an operator
// (weir-kv cluster). It says nothing of who is alive: a key belongs to its owner, up or down. Its
// text:
//
//   weir-kv members 1
//   cluster main
//   epoch 3
//   ring unit 2 vnodes 512
//   member 127.0.0.1:7001 weight 1 store 00112233445566778899aabbccddeeff
//   member 127.0.0.1:7002 weight 3 store ffeeddccbbaa99887766554433221100
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "weir/loadbalance/hash_ring.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir::kv {

struct Member {
  std::string address;      // "host:port", canonical; as the provider is registered
  std::int32_t weight = 0;  // 1..kMaxWeight: its part of the keys
  std::string store_id;     // of its data directory, 32 hexadecimal digits

  friend bool operator==(const Member&, const Member&) = default;
};

// A value.
struct MemberList {
  std::string cluster;
  std::uint64_t epoch = 0;  // 1 for the first list, one more with every change
  // Virtual nodes of a member: vnodes * weight / unit. Both are fixed when the cluster is made, so
  // that a change of one member never moves keys between others.
  std::uint32_t unit = 0;
  std::uint32_t vnodes = 512;
  std::vector<Member> members;  // sorted by address

  // DATA_LOSS names the line that is wrong.
  static Result<MemberList> Parse(std::string_view text);
  std::string ToText() const;
  // What keeps this from being a list: no members, one twice, a weight out of range, and so on.
  Status Check() const;
  // Null if there is none.
  const Member* Find(std::string_view address) const noexcept;

  friend bool operator==(const MemberList&, const MemberList&) = default;
};

// The unit for a cluster that begins with these members: their mean weight, so that an average one
// gets `vnodes` virtual nodes.
std::uint32_t RingUnitFor(const std::vector<Member>& members) noexcept;

// Where the member list of a cluster lies in a DocumentStore. INVALID_ARGUMENT if the name is none:
// letters, digits, '_', '-' and '.', not beginning with '.'.
Result<std::string> MembersPath(std::string_view cluster);

// A member list with its ring. Immutable; any number of threads.
class Ownership {
 public:
  explicit Ownership(MemberList list);  // one that passes Check()

  const MemberList& list() const noexcept { return list_; }
  std::uint64_t epoch() const noexcept { return list_.epoch; }
  const Member& OwnerOf(std::string_view key) const noexcept {
    return list_.members[ring_.OwnerOfKey(key)];
  }
  // The part of all keys each member owns; sums to 1.
  std::vector<double> Shares() const { return ring_.Shares(); }

 private:
  MemberList list_;
  HashRing ring_;
};

// Follows the member list of a cluster. A resource; thread-safe.
class Membership {
 public:
  // Called one at a time, with the first state and then with every change, from a thread of the
  // registry or of who called Refresh. Null: there is no list; `why` says so. It must not block.
  using Listener =
      std::function<void(const std::shared_ptr<const Ownership>& ownership, const Status& why)>;

  // Reads the list, then follows it. UNAVAILABLE if the registry cannot be reached; UNIMPLEMENTED
  // if it keeps no documents. That there is no list yet is no error. May block for
  // kDocumentTimeout.
  static Result<std::unique_ptr<Membership>> Open(std::shared_ptr<Registry> registry,
                                                  std::string cluster, Listener listener = {});

  // The newest list known, or why there is none.
  Result<std::shared_ptr<const Ownership>> Current() const;
  // Reads the list now. May block for kDocumentTimeout; not from a listener.
  Status Refresh();

 private:
  Membership(std::shared_ptr<Registry> registry, std::string cluster, std::string path,
             Listener listener);
  void Apply(const Document& document);

  const std::shared_ptr<Registry> registry_;
  const std::string cluster_;
  const std::string path_;
  const Listener listener_;
  std::mutex applying_;  // held while the listener runs, so that it sees changes in their order
  mutable std::mutex mutex_;
  std::shared_ptr<const Ownership> ownership_;
  Status why_none_;
  std::int64_t version_ = -2;                   // none seen yet
  std::unique_ptr<Subscription> subscription_;  // last: ends first
};

}  // namespace weir::kv
