// IdleConnections: clients that say hello, are served once and fall silent, at the cost of a socket
// each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

// What a client of some protocol sends first, and whether all that came back so far is the answer.
struct Hello {
  std::string words;
  std::function<bool(std::string_view received)> is_answer;
};

// hello of weir's own protocol: SETTINGS and one call of `method` ("package.Service/Method") whose
// request message is `body`.
Hello WeirHello(std::string_view method, std::string_view body);

// A resource: the connections close with it, by a reset, so that no port lingers.
class IdleConnections {
 public:
  explicit IdleConnections(Hello hello) : hello_(std::move(hello)) {}
  ~IdleConnections();
  IdleConnections(const IdleConnections&) = delete;
  IdleConnections& operator=(const IdleConnections&) = delete;

  // Opens `count` more, one after the other. False after a line on standard error.
  bool Open(std::uint16_t port, std::size_t count);
  std::size_t size() const noexcept { return sockets_.size(); }

 private:
  const Hello hello_;
  std::vector<int> sockets_;
};

}  // namespace weir::bench
