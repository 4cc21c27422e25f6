// A history of operations on one register by several threads, and whether it is linearizable: by
// the search of Wing and Gong, with the visited points remembered as Lowe does ("Testing for
// linearizability", 2017).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::kv {

struct RegisterOperation {
  enum class Kind : std::uint8_t {
    kRead,        // saw `value`
    kWrite,       // wrote `value`
    kSwapped,     // compare-and-set: found `expected`, wrote `value`
    kNotSwapped,  // compare-and-set: found another than `expected`
  };
  Kind kind = Kind::kRead;
  std::uint64_t start = 0;     // ticks of one clock for all threads, each given out once
  std::uint64_t end = 0;       // > start
  std::uint64_t value = 0;     // 0: absent
  std::uint64_t expected = 0;  // 0: absent
};

// By thread, each thread's in its order. The register is absent at first.
using RegisterHistory = std::vector<std::vector<RegisterOperation>>;

class LinearizabilityCheck {
 public:
  explicit LinearizabilityCheck(const RegisterHistory& history) : history_(history) {}

  bool Passes() {
    furthest_ = {std::vector<std::uint32_t>(history_.size()), 0};
    open_.push_back(furthest_);
    while (!open_.empty()) {
      Point point = std::move(open_.back());
      open_.pop_back();
      TakeReads(point);
      if (Done(point) > Done(furthest_)) furthest_ = point;
      if (Finished(point)) return true;
      if (visited_.insert(std::pair(point.done, point.value)).second) Branch(point);
    }
    return false;
  }

  // After it has not passed: how far an order was found, and what no order of could follow.
  std::string Explain() const {
    std::string text = "no order behind value " + std::to_string(furthest_.value) + " for";
    for (std::size_t t = 0; t < history_.size(); ++t) {
      const auto* next = Next(furthest_, t);
      if (next == nullptr) continue;
      constexpr const char* kNames[] = {"read of ", "write of ", "swap to ", "no swap to "};
      text.append("\n  thread ").append(std::to_string(t)).append(" [");
      text.append(std::to_string(next->start)).append(", ").append(std::to_string(next->end));
      text.append("] ").append(kNames[static_cast<std::size_t>(next->kind)]);
      text.append(std::to_string(next->value)).append(", expected ");
      text.append(std::to_string(next->expected));
    }
    return text;
  }

 private:
  using Kind = RegisterOperation::Kind;
  struct Point {
    std::vector<std::uint32_t> done;  // by thread: its operations that have taken effect
    std::uint64_t value;
  };

  const RegisterOperation* Next(const Point& point, std::size_t thread) const {
    const auto& operations = history_[thread];
    return point.done[thread] < operations.size() ? &operations[point.done[thread]] : nullptr;
  }
  static std::uint64_t Done(const Point& point) {
    return std::accumulate(point.done.begin(), point.done.end(), std::uint64_t{0});
  }
  bool Finished(const Point& point) const {
    for (std::size_t t = 0; t < history_.size(); ++t) {
      if (Next(point, t) != nullptr) return false;
    }
    return true;
  }
  // What has started behind this tick cannot be the next to take effect: another had ended before.
  std::uint64_t FirstEnd(const Point& point) const {
    std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t t = 0; t < history_.size(); ++t) {
      if (const auto* next = Next(point, t)) first = std::min(first, next->end);
    }
    return first;
  }
  static bool ChangesNothing(const RegisterOperation& operation, std::uint64_t value) {
    return (operation.kind == Kind::kRead && operation.value == value) ||
           (operation.kind == Kind::kNotSwapped && operation.expected != value);
  }
  // An operation that fits and changes nothing may take effect at once: no other order is better.
  void TakeReads(Point& point) const {
    for (bool found = true; found;) {
      found = false;
      const std::uint64_t first_end = FirstEnd(point);
      for (std::size_t t = 0; t < history_.size(); ++t) {
        const auto* next = Next(point, t);
        if (next == nullptr || next->start > first_end) continue;
        if (!ChangesNothing(*next, point.value)) continue;
        ++point.done[t];
        found = true;
        break;
      }
    }
  }
  void Branch(const Point& point) {
    const std::uint64_t first_end = FirstEnd(point);
    for (std::size_t t = 0; t < history_.size(); ++t) {
      const auto* next = Next(point, t);
      if (next == nullptr || next->start > first_end) continue;
      const bool may = next->kind == Kind::kWrite ||
                       (next->kind == Kind::kSwapped && next->expected == point.value);
      if (!may) continue;
      Point branch{point.done, next->value};
      ++branch.done[t];
      open_.push_back(std::move(branch));
    }
  }

  const RegisterHistory& history_;
  std::vector<Point> open_;
  Point furthest_{};
  std::set<std::pair<std::vector<std::uint32_t>, std::uint64_t>> visited_;
};

}  // namespace weir::kv
