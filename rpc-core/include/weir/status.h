// Status and Result<T>: how every fallible operation of weir reports its outcome.
//
// Errors are values. A Status is either OK or one of the canonical codes with a message for people
// and, optionally, details for programs. The vocabulary is that of gRPC and Abseil, so that codes
// keep their meaning across frameworks.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

// The 17 canonical codes; the numbers travel on the wire and never change.
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "NOT_FOUND" for kNotFound. A number outside the enumeration gives "UNKNOWN".
std::string_view StatusCodeName(StatusCode code) noexcept;

// A value: copyable, movable, one word wide; an OK status allocates nothing.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;  // OK
  // A failure. `code` must not be kOk.
  Status(StatusCode code, std::string message, std::string details = {});
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  bool ok() const noexcept { return failure_ == nullptr; }
  explicit operator bool() const noexcept { return ok(); }
  StatusCode code() const noexcept { return failure_ ? failure_->code : StatusCode::kOk; }
  // For people: names the thing that failed and what to do. Empty when OK.
  std::string_view message() const noexcept {
    return failure_ ? std::string_view(failure_->message) : std::string_view();
  }
  // For programs: opaque bytes that travel with the failure. Usually empty.
  std::string_view details() const noexcept {
    return failure_ ? std::string_view(failure_->details) : std::string_view();
  }
  // "OK", or "UNAVAILABLE: no provider of kv.Kv is alive".
  std::string ToString() const;

  // Equal codes and messages.
  friend bool operator==(const Status& a, const Status& b) noexcept {
    return a.code() == b.code() && a.message() == b.message();
  }

 private:
  struct Failure {
    StatusCode code;
    std::string message;
    std::string details;
  };
  std::unique_ptr<Failure> failure_;
};

inline Status Cancelled(std::string m) {
  return {StatusCode::kCancelled, std::move(m)};
}
inline Status Unknown(std::string m) {
  return {StatusCode::kUnknown, std::move(m)};
}
inline Status InvalidArgument(std::string m) {
  return {StatusCode::kInvalidArgument, std::move(m)};
}
inline Status DeadlineExceeded(std::string m) {
  return {StatusCode::kDeadlineExceeded, std::move(m)};
}
inline Status NotFound(std::string m) {
  return {StatusCode::kNotFound, std::move(m)};
}
inline Status AlreadyExists(std::string m) {
  return {StatusCode::kAlreadyExists, std::move(m)};
}
inline Status PermissionDenied(std::string m) {
  return {StatusCode::kPermissionDenied, std::move(m)};
}
inline Status ResourceExhausted(std::string m) {
  return {StatusCode::kResourceExhausted, std::move(m)};
}
inline Status FailedPrecondition(std::string m) {
  return {StatusCode::kFailedPrecondition, std::move(m)};
}
inline Status Aborted(std::string m) {
  return {StatusCode::kAborted, std::move(m)};
}
inline Status OutOfRange(std::string m) {
  return {StatusCode::kOutOfRange, std::move(m)};
}
inline Status Unimplemented(std::string m) {
  return {StatusCode::kUnimplemented, std::move(m)};
}
inline Status Internal(std::string m) {
  return {StatusCode::kInternal, std::move(m)};
}
inline Status Unavailable(std::string m) {
  return {StatusCode::kUnavailable, std::move(m)};
}
inline Status DataLoss(std::string m) {
  return {StatusCode::kDataLoss, std::move(m)};
}
inline Status Unauthenticated(std::string m) {
  return {StatusCode::kUnauthenticated, std::move(m)};
}

// Either a T or the Status that says why there is none. Never holds an OK status without a value.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  // Constructible empty (code UNKNOWN) because completion tokens such as asio::use_awaitable hold
  // one before the answer arrives.
  Result() : status_(StatusCode::kUnknown, "no result yet") {}
  // From anything a T is made from implicitly, without a T in between.
  template <class U = T>
  requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_convertible_v<U, Status>) Result(U&& value)
      : value_(std::forward<U>(value)) {}  // NOLINT(google-explicit-constructor)
  explicit Result(std::in_place_t) : value_(std::in_place) {}  // a default T
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!status_.ok() && "a Result without a value needs a failure");
    if (status_.ok()) status_ = Internal("a Result was made from an OK status, without a value");
  }

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const Status& status() const& noexcept { return status_; }
  Status status() && noexcept { return std::move(status_); }

  // The value. Only when ok().
  T& operator*() & noexcept { return assert(ok()), *value_; }
  const T& operator*() const& noexcept { return assert(ok()), *value_; }
  T&& operator*() && noexcept { return assert(ok()), std::move(*value_); }
  T* operator->() noexcept { return assert(ok()), &*value_; }
  const T* operator->() const noexcept { return assert(ok()), &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace weir
