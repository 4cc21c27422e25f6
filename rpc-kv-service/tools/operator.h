// Operator: what a person who tends a cluster can see and change.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/channel.h"
#include "weir/kv/kv.weir.h"
#include "weir/kv/members.h"
#include "weir/registry.h"
#include "weir/status.h"

namespace weir::kv::tool {

// One thread at a time.
class Operator {
 public:
  static Result<std::unique_ptr<Operator>> Open(const std::string& registry_url,
                                                const std::string& cluster,
                                                std::chrono::milliseconds timeout);

  struct Versioned {
    MemberList list;
    std::int64_t version = -1;  // of the document; -1: there is none
  };
  // The member list; FAILED_PRECONDITION if there is none.
  Result<Versioned> Read();
  // True if there is a member list, readable or not.
  Result<bool> Exists();
  // Replaces the list of that version (-1: there is none yet). ABORTED if somebody was faster.
  Status Write(const MemberList& list, std::int64_t version);

  // Who is alive, with the weights they announce.
  Result<std::map<std::string, std::int32_t>> Alive();
  // What a provider says of itself; UNAVAILABLE says what to do.
  Result<StatsReply> Ask(const std::string& address);
  // A member-to-be: alive, of this cluster, with its store id. Weight 0: the one it announces.
  Result<Member> Candidate(const std::string& address, std::int32_t weight);
  // Waits until every member that is alive has taken the list over; DEADLINE_EXCEEDED names one
  // that has not.
  Status WaitUntilKnown(const MemberList& list);

 private:
  Operator(std::shared_ptr<Registry> registry, std::string url, std::string cluster,
           std::string path, std::chrono::milliseconds timeout);

  const std::shared_ptr<Registry> registry_;
  const std::string url_;
  const std::string cluster_;
  const std::string path_;
  const std::chrono::milliseconds timeout_;
  Channel channel_;
  Kv::Stub stub_;
};

}  // namespace weir::kv::tool
