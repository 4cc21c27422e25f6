// What a test asks of a running ZooKeeper server, past any client library: four-letter words, and
// the end of somebody's session. Servers are named by their client port on 127.0.0.1.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace weir::testing {

// Answer to a four-letter word such as "srvr", "cons" or "wchp"; empty when nobody answers within
// two seconds.
std::string AskZooKeeper(std::uint16_t port, std::string_view four_letter_word);
// Whether the server takes requests: it is up and, in an ensemble, belongs to a quorum.
bool ZooKeeperServes(std::uint16_t port);
// The ephemeral nodes as the server itself sees them: path -> session that owns it.
std::map<std::string, std::uint64_t> ZooKeeperEphemerals(std::uint16_t port);
// The sessions whose owners are connected to this server.
std::set<std::uint64_t> ZooKeeperSessions(std::uint16_t port);
// Ends a live session by force, as if it had expired: its owner learns it from the server. Throws
// std::runtime_error when that does not succeed within 20 s.
void ExpireZooKeeperSession(std::uint16_t port, std::uint64_t session);

}  // namespace weir::testing
