// Stands in for grpc_echo.cc where gRPC is not installed.
#include "rpc/contestant.h"

namespace weir::bench {

std::unique_ptr<Contestant> MakeGrpc() {
  return nullptr;
}

}  // namespace weir::bench
