#include "weir/status.h"

#include <array>

namespace weir {

std::string_view StatusCodeName(StatusCode code) noexcept {
  static constexpr std::array<std::string_view, 17> kNames = {"OK",
                                                              "CANCELLED",
                                                              "UNKNOWN",
                                                              "INVALID_ARGUMENT",
                                                              "DEADLINE_EXCEEDED",
                                                              "NOT_FOUND",
                                                              "ALREADY_EXISTS",
                                                              "PERMISSION_DENIED",
                                                              "RESOURCE_EXHAUSTED",
                                                              "FAILED_PRECONDITION",
                                                              "ABORTED",
                                                              "OUT_OF_RANGE",
                                                              "UNIMPLEMENTED",
                                                              "INTERNAL",
                                                              "UNAVAILABLE",
                                                              "DATA_LOSS",
                                                              "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : kNames[2];
}

Status::Status(StatusCode code, std::string message, std::string details)
    : failure_(code == StatusCode::kOk
                   ? nullptr
                   : new Failure{code, std::move(message), std::move(details)}) {
  assert(code != StatusCode::kOk && "an OK status is made by Status()");
}

Status::Status(const Status& other)
    : failure_(other.failure_ ? new Failure(*other.failure_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) failure_.reset(other.failure_ ? new Failure(*other.failure_) : nullptr);
  return *this;
}

std::string Status::ToString() const {
  std::string text(StatusCodeName(code()));
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

}  // namespace weir
