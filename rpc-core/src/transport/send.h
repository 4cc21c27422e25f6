// Writing an outbox to a socket without waiting.
#pragma once

#include "buffer/outbox.h"

namespace weir {

// Writes as much of `outbox` as the kernel takes now. Returns 0, or the error that broke the
// connection.
int SendNow(int descriptor, Outbox& outbox) noexcept;

}  // namespace weir
