// The ZooKeeper C client's own log, led into weir's.
#pragma once

namespace weir::discovery {

// For zookeeper_init2. Each place in the client that complains is heard as a warning once in ten
// minutes; the rest, and all about connections coming and going (the session tells of those once
// per change), goes to the debug level.
void OnClientLog(const char* message);

}  // namespace weir::discovery
