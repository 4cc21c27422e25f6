// Stands in for io_uring.cc where weir is built without liburing.
#include "runtime/ring.h"

namespace weir {

Result<std::unique_ptr<Ring>> Ring::Open(Reactor& /*reactor*/) {
  return Unimplemented("weir was built without liburing");
}

}  // namespace weir
