// The sanitizers ask for these. ZooKeeper's client library (3.8) loses an event that reaches a
// handle while it is being closed, and all handles of a process write their server's address for
// messages into one static buffer (format_endpoint_info), with sprintf, which weir never calls.
// Neither passes through weir. A pattern that named the library would also hide what our own code
// does in its callbacks.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
  return "leak:zookeeper_process\n";
}
extern "C" const char* __tsan_default_suppressions() {
  return "race:__sprintf_chk\n";
}
