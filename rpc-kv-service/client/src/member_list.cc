#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>

#include "weir/address.h"
#include "weir/kv/members.h"

namespace weir::kv {
namespace {

constexpr std::string_view kTitle = "weir-kv members 1";
constexpr std::uint32_t kMostVnodes = 1 << 16;  // of one member
constexpr std::size_t kStoreIdSize = 32;

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t space = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, space));
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  return words;
}

template <class Number>
bool ReadNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool IsStoreId(std::string_view text) {
  return text.size() == kStoreIdSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool ReadLine(std::string_view line, MemberList& list) {
  const std::vector<std::string_view> words = Words(line);
  if (words.size() == 2 && words[0] == "cluster") {
    list.cluster = words[1];
    return true;
  }
  if (words.size() == 2 && words[0] == "epoch") return ReadNumber(words[1], list.epoch);
  if (words.size() == 5 && words[0] == "ring" && words[1] == "unit" && words[3] == "vnodes") {
    return ReadNumber(words[2], list.unit) && ReadNumber(words[4], list.vnodes);
  }
  if (words.size() == 6 && words[0] == "member" && words[2] == "weight" && words[4] == "store") {
    Member member;
    member.address = words[1];
    member.store_id = words[5];
    if (!ReadNumber(words[3], member.weight)) return false;
    list.members.push_back(std::move(member));
    return true;
  }
  return false;
}

Status CheckMember(const MemberList& list, const Member& member) {
  const Result<Address> address = Address::Parse(member.address);
  if (!address.ok()) return address.status();
  if (address->ToString() != member.address || !address->can_be_called()) {
    return InvalidArgument("member " + member.address + ": write the address as host:port");
  }
  if (member.weight < 1 || member.weight > kMaxWeight) {
    return InvalidArgument("member " + member.address + ": weight " +
                           std::to_string(member.weight) + " is not between 1 and " +
                           std::to_string(kMaxWeight));
  }
  const std::uint64_t vnodes =
      std::uint64_t{list.vnodes} * static_cast<std::uint64_t>(member.weight) / list.unit;
  if (vnodes > kMostVnodes) {
    return InvalidArgument("member " + member.address + ": weight " +
                           std::to_string(member.weight) + " is too far above the " +
                           std::to_string(list.unit) +
                           " that an average member of the cluster had "
                           "when it was made; give at most " +
                           std::to_string(std::uint64_t{kMostVnodes} * list.unit / list.vnodes));
  }
  if (!IsStoreId(member.store_id)) {
    return InvalidArgument("member " + member.address + ": store id \"" + member.store_id +
                           "\" is not one: 32 hexadecimal digits are");
  }
  return {};
}

std::vector<Provider> RingProviders(const MemberList& list) {
  std::vector<Provider> providers;
  for (const Member& member : list.members) providers.push_back({member.address, member.weight});
  return providers;
}

}  // namespace

Result<MemberList> MemberList::Parse(std::string_view text) {
  MemberList list;
  list.vnodes = 0;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool right = number == 1 ? line == kTitle : line.empty() || ReadLine(line, list);
    if (!right) {
      return Status(StatusCode::kDataLoss, "the member list is damaged at line " +
                                               std::to_string(number) + ": \"" + std::string(line) +
                                               "\"");
    }
  }
  if (Status status = list.Check(); !status.ok()) {
    return DataLoss("the member list is damaged: " + std::string(status.message()));
  }
  return list;
}

std::string MemberList::ToText() const {
  std::ostringstream text;
  text << kTitle << "\ncluster " << cluster << "\nepoch " << epoch << "\nring unit " << unit
       << " vnodes " << vnodes << "\n";
  for (const Member& member : members) {
    text << "member " << member.address << " weight " << member.weight << " store "
         << member.store_id << "\n";
  }
  return text.str();
}

Status MemberList::Check() const {
  if (const auto path = MembersPath(cluster); !path.ok()) return path.status();
  if (epoch == 0) return InvalidArgument("epoch 0 is none");
  if (unit == 0 || unit > kMaxWeight) return InvalidArgument("the ring's unit is out of range");
  if (vnodes == 0 || vnodes > kMostVnodes) return InvalidArgument("vnodes is out of range");
  if (members.empty()) return InvalidArgument("a cluster needs at least one member");
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (Status status = CheckMember(*this, members[i]); !status.ok()) return status;
    if (i > 0 && members[i - 1].address >= members[i].address) {
      return InvalidArgument("member " + members[i].address +
                             (members[i - 1].address == members[i].address
                                  ? " is there twice"
                                  : " does not stand in the order of addresses"));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (members[i].store_id == members[j].store_id) {
        return InvalidArgument("members " + members[j].address + " and " + members[i].address +
                               " have one store id, " + members[i].store_id +
                               ": each needs a data directory of its own");
      }
    }
  }
  return {};
}

const Member* MemberList::Find(std::string_view address) const noexcept {
  const auto found =
      std::lower_bound(members.begin(), members.end(), address,
                       [](const Member& m, std::string_view a) { return m.address < a; });
  return found != members.end() && found->address == address ? &*found : nullptr;
}

std::uint32_t RingUnitFor(const std::vector<Member>& members) noexcept {
  std::uint64_t sum = 0;
  for (const Member& member : members) sum += static_cast<std::uint64_t>(member.weight);
  const std::uint64_t count = std::max<std::uint64_t>(members.size(), 1);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>((sum + count / 2) / count, 1));
}

Result<std::string> MembersPath(std::string_view cluster) {
  const bool right = !cluster.empty() && cluster.front() != '.' &&
                     std::all_of(cluster.begin(), cluster.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                     });
  if (!right) {
    return InvalidArgument("\"" + std::string(cluster) +
                           "\" is no name of a cluster: use letters, digits, '_', '-' and '.', "
                           "not beginning with '.'");
  }
  return "kv/" + std::string(cluster) + "/members";
}

Ownership::Ownership(MemberList list)
    : list_(std::move(list)),
      ring_(RingProviders(list_),
            RingOptions{.vnodes = list_.vnodes, .unit = list_.unit, .hash = RingHash::kFnv}) {}

}  // namespace weir::kv
