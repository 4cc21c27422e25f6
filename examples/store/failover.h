// What consumers of the store see while one of its providers dies and comes back.
#pragma once

#include <string>

// Calls the store all the time until SIGINT or SIGTERM: balanced calls, which any provider may
// answer, and reads of keys of every member. Prints "watching" when it begins, a line a second, and
// a verdict. Returns 0 if no balanced call failed, no key of a member other than `dead` failed,
// every value was right, and the keys of `dead`, while it was away, answered UNAVAILABLE naming it;
// 1 otherwise.
int WatchFailover(const std::string& registry, const std::string& cluster, const std::string& dead);
