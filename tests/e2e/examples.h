// What the tests of the example programs share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/process.h"

namespace weir::testing {

// How long a program may take to do what it is expected to do; generous, for loaded machines.
inline constexpr std::chrono::seconds kPatience{60};

// The address on which `provider` says it serves; empty, and a failed test, if it never does.
inline std::string AwaitServing(const Process& provider) {
  std::string address;
  const std::string sign = "serving on ";
  const bool serves = WaitUntil(
      [&] {
        const std::string errors = provider.Errors();
        const auto start = errors.find(sign);
        const auto end = errors.find('\n', start == std::string::npos ? 0 : start);
        if (start == std::string::npos || end == std::string::npos) return false;
        address = errors.substr(start + sign.size(), end - start - sign.size());
        return true;
      },
      kPatience);
  EXPECT_TRUE(serves) << provider.Errors();
  return address;
}

// Waits until a consumer of `registry` is served by each of these providers.
inline void AwaitGreeters(const std::string& registry, const std::vector<std::string>& providers) {
  std::string output;
  const bool seen = WaitUntil(
      [&] {
        Process consumer({WEIR_GREETER_CONSUMER, "--registry", registry, "--calls", "20"});
        if (consumer.Wait(kPatience) != 0) return false;
        output = consumer.Output();
        for (const std::string& provider : providers) {
          if (output.find(provider + " served ") == std::string::npos) return false;
        }
        return true;
      },
      kPatience);
  EXPECT_TRUE(seen) << output;
}

}  // namespace weir::testing
