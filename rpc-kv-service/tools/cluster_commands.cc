// cluster init, add, remove, show.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "operator.h"
#include "session.h"
#include "text.h"
#include "weir/address.h"

namespace weir::kv::tool {
namespace {

using Work = std::function<int(Operator&)>;

int WithOperator(const Session& session, const Work& work) {
  if (Status status = session.CheckRegistry(); !status.ok()) return session.Fail(status);
  if (session.cluster.empty()) {
    return session.Fail(InvalidArgument("--cluster is missing: name the cluster"));
  }
  const auto op = Operator::Open(session.registry, session.cluster, session.timeout());
  if (!op.ok()) return session.Fail(op.status());
  return work(**op);
}

// "host:port" or "host:port*weight", the address in its canonical form.
Result<std::pair<std::string, std::int32_t>> ReadMember(const std::string& text) {
  const std::size_t star = text.find('*');
  std::int32_t weight = 0;
  if (star != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + star + 1, end, weight);
    if (error != std::errc() || stop != end || weight < 1 || weight > kMaxWeight) {
      return InvalidArgument("the weight in " + text + " is not a number from 1 to " +
                             std::to_string(kMaxWeight));
    }
  }
  const auto address = Address::Parse(text.substr(0, star));
  if (!address.ok()) return address.status();
  return std::pair(address->ToString(), weight);
}

void PrintMembers(const MemberList& list, const std::map<std::string, std::int32_t>& alive) {
  std::printf("cluster %s, epoch %llu, %zu member%s\n", list.cluster.c_str(),
              static_cast<unsigned long long>(list.epoch), list.members.size(),
              list.members.size() == 1 ? "" : "s");
  const std::vector<double> shares = Ownership(list).Shares();
  std::printf("%-22s %6s %8s  %-9s %s\n", "MEMBER", "WEIGHT", "OF KEYS", "", "STORE");
  for (std::size_t i = 0; i < list.members.size(); ++i) {
    const Member& member = list.members[i];
    std::printf("%-22s %6d %7.2f%%  %-9s %s\n", member.address.c_str(), member.weight,
                shares[i] * 100, alive.contains(member.address) ? "alive" : "not alive",
                member.store_id.c_str());
  }
}

void PrintMembersJson(const MemberList& list, const std::map<std::string, std::int32_t>& alive) {
  const std::vector<double> shares = Ownership(list).Shares();
  auto members = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < list.members.size(); ++i) {
    const Member& member = list.members[i];
    members.push_back({{"address", member.address},
                       {"weight", member.weight},
                       {"share", shares[i]},
                       {"alive", alive.contains(member.address)},
                       {"store_id", member.store_id}});
  }
  const nlohmann::ordered_json json = {{"cluster", list.cluster},
                                       {"epoch", list.epoch},
                                       {"unit", list.unit},
                                       {"vnodes", list.vnodes},
                                       {"members", members}};
  std::fputs(JsonText(json).c_str(), stdout);
}

// Writes the list, waits until the members know it, shows it.
int Publish(const Session& session, Operator& op, const MemberList& list, std::int64_t version) {
  if (Status status = op.Write(list, version); !status.ok()) return session.Fail(status);
  if (Status status = op.WaitUntilKnown(list); !status.ok()) return session.Fail(status);
  const auto alive = op.Alive();
  if (!alive.ok()) return session.Fail(alive.status());
  PrintMembers(list, *alive);
  return kExitOk;
}

void SortMembers(MemberList& list) {
  std::sort(list.members.begin(), list.members.end(),
            [](const Member& a, const Member& b) { return a.address < b.address; });
}

int Init(const Session& session, Operator& op, const std::vector<std::string>& members) {
  const auto exists = op.Exists();
  if (!exists.ok()) return session.Fail(exists.status());
  if (*exists) {
    return session.Fail(AlreadyExists("cluster " + session.cluster +
                                      " has a member list already; see \"weir-kv cluster show\", "
                                      "change it with \"cluster add\" and \"cluster remove\""));
  }
  MemberList list;
  list.cluster = session.cluster;
  list.epoch = 1;
  for (const std::string& text : members) {
    const auto wanted = ReadMember(text);
    if (!wanted.ok()) return session.Fail(wanted.status());
    auto member = op.Candidate(wanted->first, wanted->second);
    if (!member.ok()) return session.Fail(member.status());
    list.members.push_back(*std::move(member));
  }
  SortMembers(list);
  list.unit = RingUnitFor(list.members);
  return Publish(session, op, list, -1);
}

// Refuses a change that would make stored keys unreachable: these members must hold none.
Status CheckNothingLost(Operator& op, const std::vector<Member>& losing) {
  constexpr const char* kWhy =
      "; weir-kv does not move keys yet, and they would no longer be found (they stay in the data "
      "directory). To change the members all the same give --force";
  for (const Member& member : losing) {
    const auto stats = op.Ask(member.address);
    if (!stats.ok()) {
      return FailedPrecondition("cannot tell whether " + member.address +
                                " holds keys: " + std::string(stats.status().message()) + kWhy);
    }
    if (stats->keys() > 0) {
      return FailedPrecondition(member.address + " holds " + std::to_string(stats->keys()) +
                                " keys, and some of them would get another owner" + kWhy);
    }
  }
  return {};
}

int Add(const Session& session, Operator& op, const std::string& text, std::int32_t weight,
        bool force) {
  auto current = op.Read();
  if (!current.ok()) return session.Fail(current.status());
  MemberList& list = current->list;
  const auto wanted = ReadMember(text);
  if (!wanted.ok()) return session.Fail(wanted.status());
  if (list.Find(wanted->first) != nullptr) {
    return session.Fail(
        AlreadyExists(wanted->first + " is a member of cluster " + list.cluster + " already"));
  }
  auto member = op.Candidate(wanted->first, weight != 0 ? weight : wanted->second);
  if (!member.ok()) return session.Fail(member.status());
  if (!force) {
    if (Status status = CheckNothingLost(op, list.members); !status.ok()) {
      return session.Fail(status);
    }
  }
  list.members.push_back(*std::move(member));
  SortMembers(list);
  ++list.epoch;
  return Publish(session, op, list, current->version);
}

int Remove(const Session& session, Operator& op, const std::string& address, bool force) {
  auto current = op.Read();
  if (!current.ok()) return session.Fail(current.status());
  MemberList& list = current->list;
  const Member* found = list.Find(address);
  if (found == nullptr) {
    // No "not found" of a key, which would be exit code 1.
    return session.Fail(InvalidArgument(address + " is not a member of cluster " + list.cluster));
  }
  if (list.members.size() == 1) {
    return session.Fail(FailedPrecondition(address + " is the last member of cluster " +
                                           list.cluster + "; a cluster without members cannot be"));
  }
  if (!force) {
    if (Status status = CheckNothingLost(op, {*found}); !status.ok()) return session.Fail(status);
  }
  list.members.erase(list.members.begin() + (found - list.members.data()));
  ++list.epoch;
  return Publish(session, op, list, current->version);
}

int Show(const Session& session, Operator& op, bool json) {
  const auto current = op.Read();
  if (!current.ok()) return session.Fail(current.status());
  const auto alive = op.Alive();
  if (!alive.ok()) return session.Fail(alive.status());
  (json ? PrintMembersJson : PrintMembers)(current->list, *alive);
  return kExitOk;
}

}  // namespace

void AddClusterCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  struct Args {
    std::vector<std::string> members;
    std::string address;
    std::int32_t weight = 0;
    bool force = false;
    bool json = false;
  };
  const auto args = std::make_shared<Args>();
  CLI::App* cluster =
      app.add_subcommand("cluster", "Make, change and show the member list: who owns which keys");
  cluster->callback([=] {
    if (!cluster->get_subcommands().empty()) return;
    Complain(session->app, "cluster: no command; see weir-kv cluster --help");
    *exit_code = kExitUsage;
  });
  cluster->fallthrough();
  const auto run = [=](const Work& work) {
    return [=] { *exit_code = WithOperator(*session, work); };
  };

  CLI::App* init = cluster->add_subcommand(
      "init", "Make the member list of providers that are alive, each started with --cluster");
  init->add_option("ADDRESS", args->members,
                   "host:port or host:port*WEIGHT; without, the weight it announces")
      ->required();
  init->callback(run([=](Operator& op) { return Init(*session, op, args->members); }));

  CLI::App* add = cluster->add_subcommand("add", "Add a member; it takes over a part of all keys");
  add->add_option("ADDRESS", args->address)->required();
  add->add_option("--weight", args->weight, "Default: the one it announces")
      ->check(CLI::Range(1, kMaxWeight))
      ->type_name("N");
  add->add_flag("--force", args->force, "Also if stored keys are no longer found then");
  add->callback(run(
      [=](Operator& op) { return Add(*session, op, args->address, args->weight, args->force); }));

  CLI::App* remove =
      cluster->add_subcommand("remove", "Remove a member; its keys go to the others");
  remove->add_option("ADDRESS", args->address)->required();
  remove->add_flag("--force", args->force, "Also if stored keys are no longer found then");
  remove->callback(
      run([=](Operator& op) { return Remove(*session, op, args->address, args->force); }));

  CLI::App* show =
      cluster->add_subcommand("show", "Show the members, their part of all keys, and who is alive");
  show->add_flag("--json", args->json);
  show->callback(run([=](Operator& op) { return Show(*session, op, args->json); }));
}

}  // namespace weir::kv::tool
