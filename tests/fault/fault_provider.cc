// A provider in a process of its own, to be killed, stopped or cut off. Arguments: registry URL,
// address to listen on. Its replies name its address. Ends orderly with SIGTERM.
#include <cstdio>

#include "core/echo_service.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  weir::Server server({.listen = argv[2],
                       .threads = {.reactors = 1},
                       .drain_notice = std::chrono::milliseconds(100)});
  server.RegisterAt(argv[1]);
  if (weir::Status status = server.Listen(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  server.Add(std::make_unique<weir::test::EchoService>(server.address()));
  std::printf("listening on %s\n", server.address().c_str());
  std::fflush(stdout);
  return server.Run();
}
