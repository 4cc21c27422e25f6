#include "support/zookeeper_server.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace weir::testing {
namespace {

constexpr const char* kServerJar = "/usr/share/java/zookeeper.jar";
constexpr const char* kLogJar = "/usr/share/java/slf4j-simple.jar";

bool InPath(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + std::string(program)).c_str(), X_OK) == 0) return true;
  }
  return false;
}

void RequirePackages() {
  std::string missing;
  if (!InPath("java")) missing += " java";
  for (const char* jar : {kServerJar, kLogJar}) {
    if (!std::filesystem::exists(jar)) missing += std::string(" ") + jar;
  }
  if (missing.empty()) return;
  throw std::runtime_error(
      "the private ZooKeeper server cannot start, missing:" + missing +
      "; install with: apt-get install libzookeeper-java libslf4j-java openjdk-17-jre-headless");
}

}  // namespace

ZooKeeperServer::ZooKeeperServer(int heap_mb) : heap_mb_(heap_mb) {
  // Somebody may take the free port before the server does: try others.
  for (int attempt = 1;; ++attempt) {
    membership_.client_port = FreePort();
    try {
      Launch();
      AwaitServing();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 3) throw;
    }
  }
}

ZooKeeperServer::ZooKeeperServer(ZooKeeperMembership membership)
    : membership_(std::move(membership)) {
  Launch();
}

ZooKeeperServer::~ZooKeeperServer() {
  process_.reset();
}

std::string ZooKeeperServer::address() const {
  return "127.0.0.1:" + std::to_string(port());
}

std::string ZooKeeperServer::Url(std::string_view path, int session_timeout_ms) const {
  return "zk://" + address() + std::string(path) +
         "?session_timeout_ms=" + std::to_string(session_timeout_ms);
}

void ZooKeeperServer::Launch() {
  if (running()) return;
  RequirePackages();
  const std::string config = directory_.Path("zoo.cfg");
  const std::string data = directory_.Path("data");
  std::filesystem::create_directories(data);
  // In ticks: two seconds for a paused peer to be given up, ten for one that starts.
  std::ofstream(config) << "tickTime=" << kZooKeeperTick.count() << "\ninitLimit=50\nsyncLimit=10\n"
                        << "dataDir=" << data << "\nclientPort=" << port()
                        << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
                        << "4lw.commands.whitelist=*\nmaxClientCnxns=0\n"
                        << "minSessionTimeout=400\nmaxSessionTimeout=60000\n"
                        << membership_.servers;
  if (membership_.id != 0) std::ofstream(data + "/myid") << membership_.id << "\n";
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"java", "-Xmx" + std::to_string(heap_mb_) + "m", "-XX:+UseSerialGC",
                               "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
                               "-Dorg.slf4j.simpleLogger.logFile=" + directory_.Path("zk.log"),
                               "-cp", std::string(kServerJar) + ":" + kLogJar,
                               "org.apache.zookeeper.server.quorum.QuorumPeerMain", config});
  paused_ = false;
}

void ZooKeeperServer::AwaitServing() {
  const bool up = WaitUntil([this] { return Serves() || !running(); }, kZooKeeperStartTimeout);
  if (up && running()) return;
  std::ostringstream text;
  text << "the private ZooKeeper server does not serve on port " << port() << "\n"
       << (process_ ? process_->Errors() : "it was stopped\n")
       << std::ifstream(directory_.Path("zk.log")).rdbuf();
  process_.reset();
  throw std::runtime_error(text.str());
}

bool ZooKeeperServer::Serves() const {
  return running() && !paused_ && ZooKeeperServes(port());
}

void ZooKeeperServer::Stop() {
  if (!process_) return;
  process_->Signal(SIGTERM);
  if (!process_->Wait(std::chrono::seconds(20))) {
    throw std::runtime_error("the ZooKeeper server did not end within 20 s of SIGTERM");
  }
  process_.reset();
}

void ZooKeeperServer::Kill() {
  if (process_) process_->Kill();
  process_.reset();
}

void ZooKeeperServer::Restart() {
  Kill();
  Launch();
  AwaitServing();
}

void ZooKeeperServer::Wipe() {
  if (running()) throw std::runtime_error("Wipe() of a ZooKeeper server that runs");
  std::filesystem::remove_all(directory_.Path("data"));
}

void ZooKeeperServer::Pause() {
  if (process_) process_->Signal(SIGSTOP);
  paused_ = true;
}

void ZooKeeperServer::Resume() {
  if (process_) process_->Signal(SIGCONT);
  paused_ = false;
}

bool ZooKeeperServer::running() const {
  return process_ && process_->running();
}

std::string ZooKeeperServer::Ask(std::string_view four_letter_word) const {
  return AskZooKeeper(port(), four_letter_word);
}

}  // namespace weir::testing
