// Stands in for thrift_echo.cc where Thrift is not installed.
#include "rpc/contestant.h"

namespace weir::bench {

std::unique_ptr<Contestant> MakeThrift() {
  return nullptr;
}

}  // namespace weir::bench
