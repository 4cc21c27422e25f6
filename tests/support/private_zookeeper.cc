// private-zookeeper [--nodes N] [--session-timeout MS]: a private ZooKeeper on free ports of
// 127.0.0.1 with temporary data. Prints the URL of its registry on standard output when it serves,
// and lives until its standard input is closed, or SIGTERM or SIGINT comes.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "support/zookeeper_ensemble.h"
#include "support/zookeeper_server.h"

namespace {

using weir::testing::ZooKeeperEnsemble;
using weir::testing::ZooKeeperServer;

std::array<int, 2> g_told_to_end{-1, -1};

void OnSignal(int) {
  const char byte = 0;
  if (::write(g_told_to_end[1], &byte, 1) < 0) ::_exit(1);
}

void AwaitTheEnd() {
  std::array<pollfd, 2> sources{{{STDIN_FILENO, POLLIN, 0}, {g_told_to_end[0], POLLIN, 0}}};
  std::array<char, 256> ignored{};
  while (true) {
    if (::poll(sources.data(), sources.size(), -1) < 0) continue;
    if (sources[1].revents != 0) return;
    if (sources[0].revents != 0 && ::read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) {
      return;
    }
  }
}

int Run(int nodes, int session_timeout_ms) {
  // Signals go to a pipe, so that the servers are ended and their data removed in every case.
  if (::pipe2(g_told_to_end.data(), O_CLOEXEC) != 0) return 1;
  struct sigaction action {};
  action.sa_handler = OnSignal;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  std::unique_ptr<ZooKeeperServer> alone;
  std::unique_ptr<ZooKeeperEnsemble> ensemble;
  if (nodes == 1) {
    alone = std::make_unique<ZooKeeperServer>();
    std::cout << alone->Url("/rpc", session_timeout_ms) << std::endl;
  } else {
    ensemble = std::make_unique<ZooKeeperEnsemble>(static_cast<std::size_t>(nodes));
    std::cout << ensemble->Url("/rpc", session_timeout_ms) << std::endl;
  }
  AwaitTheEnd();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int nodes = 1;
  int session_timeout_ms = 4000;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    const int value = i + 1 < argc ? std::atoi(argv[i + 1]) : 0;
    if (option == "--nodes" && value >= 1 && value <= 9) {
      nodes = value;
    } else if (option == "--session-timeout" && value >= 400 && value <= 60'000) {
      session_timeout_ms = value;
    } else {
      std::cerr << "usage: private-zookeeper [--nodes 1..9] [--session-timeout 400..60000]\n";
      return 2;
    }
  }
  try {
    return Run(nodes, session_timeout_ms);
  } catch (const std::exception& error) {
    std::cerr << "private-zookeeper: " << error.what() << "\n";
    return 1;
  }
}
