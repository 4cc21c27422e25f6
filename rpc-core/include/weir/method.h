// What generated code says about a method, on both sides.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

// A method of a service as its .proto defines it. Constant, with static storage.
struct MethodInfo {
  std::string_view full_name;  // "greeter.Greeter/Hello", as it travels
  std::uint32_t index = 0;     // position in its service
  bool idempotent = false;     // option idempotency_level = IDEMPOTENT or NO_SIDE_EFFECTS
  bool blocking = false;       // option (weir.blocking) = true

  // "Hello"
  constexpr std::string_view name() const noexcept {
    return full_name.substr(full_name.find('/') + 1);
  }
};

// A service as its .proto defines it. Constant, with static storage.
struct ServiceInfo {
  std::string_view full_name;  // "greeter.Greeter"
  std::span<const MethodInfo> methods;
};

}  // namespace weir
