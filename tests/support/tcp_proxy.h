// A TCP proxy on 127.0.0.1 that a test can break: a network partition between two processes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::testing {

// Forwards connections to a port of 127.0.0.1. A resource: the destructor closes everything.
// Thread-safe; Cut, Sever and Heal return when they have taken effect.
class TcpProxy {
 public:
  // Listens on a free port. Throws std::runtime_error when it cannot.
  explicit TcpProxy(std::uint16_t target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // A silent partition: connections stay open but nothing passes, neither bytes nor the news that
  // an end has closed; new ones are accepted and as dead.
  void Cut();
  // Resets all connections and refuses new ones.
  void Sever();
  // Works again. What waited while it was cut passes now, as after a partition of a real network.
  void Heal();

 private:
  enum class Mode { kForwarding, kCut, kSevered };
  struct Link;

  void Set(Mode mode);
  void Run();
  void Apply(Mode mode);
  void Accept();
  void Forward();

  const std::uint16_t target_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  // The thread's own.
  std::vector<std::unique_ptr<Link>> links_;
  // Shared.
  std::mutex mutex_;
  std::condition_variable applied_;
  Mode wanted_ = Mode::kForwarding;
  Mode current_ = Mode::kForwarding;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace weir::testing
