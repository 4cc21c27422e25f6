// CallTable: the calls of a simulation that are not over, in slots that are used again.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lab/client_model.h"
#include "lab/event_queue.h"
#include "weir/endpoint.h"

namespace weir::lab {

struct SimulatedCall {
  std::uint32_t client = 0;
  std::uint32_t server = kNoServer;
  std::uint32_t key = 0;
  std::uint32_t serial = 0;  // of the call in this slot
  Nanos arrived = 0;
  Nanos started = 0;  // the present attempt
  Nanos deadline = 0;
  double work_ns = 0;
  LoadReport report;  // travels with the response
  Outcome outcome = Outcome::kAnswered;
  bool ended = false;    // for the client
  bool pending = false;  // an event, or a server, still refers to it
  std::uint8_t attempts = 0;
  std::array<std::uint32_t, 4> tried{};  // servers of earlier attempts

  std::span<const std::uint32_t> earlier() const noexcept { return {tried.data(), attempts}; }
};

class CallTable {
 public:
  SimulatedCall& operator[](std::uint32_t call) noexcept { return calls_[call]; }
  std::uint32_t Add() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(calls_.size()));
      calls_.emplace_back();
    }
    const std::uint32_t call = free_.back();
    free_.pop_back();
    const std::uint32_t serial = calls_[call].serial + 1;
    calls_[call] = {};
    calls_[call].serial = serial;
    return call;
  }
  // Frees the slot if nobody needs it any more.
  void Settle(std::uint32_t call) {
    if (calls_[call].ended && !calls_[call].pending) free_.push_back(call);
  }

 private:
  std::vector<SimulatedCall> calls_;
  std::vector<std::uint32_t> free_;
};

}  // namespace weir::lab
