// How a provider says, and a client understands, that a request was refused because of who owns
// what.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "weir/kv/kv.pb.h"
#include "weir/status.h"

namespace weir::kv {

// A status with the refusal in its details: ABORTED for OTHER_EPOCH, else FAILED_PRECONDITION.
Status Refuse(const OwnershipRefusal& refusal, std::string message);
// The refusal in a status; nothing if it is none.
std::optional<OwnershipRefusal> RefusalOf(const Status& status);

// A key as messages show it: in quotes, what is not printable escaped, cut after 64 bytes.
std::string QuoteKey(std::string_view key);

}  // namespace weir::kv
