// EventQueue: what happens next in a simulation.
//
// Most events of a simulation come a constant time after their cause (a request crosses the
// network, a deadline passes), so they arise in the order in which they happen: each such kind has
// a lane, a plain FIFO. The rest, mostly the ends of service times, is in a heap of four children
// per node.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace weir::lab {

using Nanos = std::int64_t;  // of the simulated clock

enum class EventKind : std::uint8_t {
  kArrival,      // a call is made
  kProbeAsked,   // its probes reach the servers
  kProbeTold,    // their answers reach the client
  kRequest,      // its request reaches the server
  kFinished,     // a slot of a server has done its work
  kResponse,     // the response reaches the client
  kDeadline,     // the call's time is over
  kServerState,  // a server pauses, slows down, stops, ...
  kList          // clients learn of a changed provider list
};

struct Event {
  Nanos time = 0;
  std::uint32_t order = 0;    // among events of the same time: the older one first
  std::uint32_t subject = 0;  // a call or a server
  std::uint32_t detail = 0;   // a slot, or what changes
  std::uint32_t epoch = 0;    // outdated if the subject has another one by now
  EventKind kind = EventKind::kArrival;

  bool Before(const Event& other) const noexcept {
    return time != other.time ? time < other.time : order < other.order;
  }
};

class EventQueue {
 public:
  // Those whose events come a constant time after they are pushed.
  enum Lane : std::uint8_t { kProbesOut, kProbesBack, kRequests, kResponses, kDeadlines, kLanes };

  void Push(Event event) {
    event.order = next_order_++;
    std::size_t at = heap_.size();
    heap_.push_back(event);
    while (at > 0) {
      const std::size_t parent = (at - 1) / 4;
      if (!event.Before(heap_[parent])) break;
      heap_[at] = heap_[parent];
      at = parent;
    }
    heap_[at] = event;
  }
  // `event` must not happen before the last one of this lane.
  void Push(Lane lane, Event event) {
    event.order = next_order_++;
    lanes_[lane].Push(event);
  }
  // Of the next event; the end of time if there is none.
  Nanos NextTime() const noexcept {
    Nanos next = heap_.empty() ? std::numeric_limits<Nanos>::max() : heap_.front().time;
    for (const Fifo& lane : lanes_) {
      if (!lane.empty()) next = std::min(next, lane.front().time);
    }
    return next;
  }
  // False when nothing is left.
  bool Pop(Event* event) {
    const Event* first = heap_.empty() ? nullptr : &heap_.front();
    Fifo* from = nullptr;
    for (Fifo& lane : lanes_) {
      if (lane.empty() || (first != nullptr && !lane.front().Before(*first))) continue;
      first = &lane.front();
      from = &lane;
    }
    if (first == nullptr) return false;
    *event = *first;
    if (from != nullptr) {
      from->Pop();
    } else {
      PopHeap();
    }
    return true;
  }

 private:
  // A ring that doubles when it is full.
  class Fifo {
   public:
    bool empty() const noexcept { return first_ == end_; }
    const Event& front() const noexcept { return ring_[first_ & (ring_.size() - 1)]; }
    void Pop() noexcept { ++first_; }
    void Push(const Event& event) {
      if (end_ - first_ == ring_.size()) Grow();
      ring_[end_++ & (ring_.size() - 1)] = event;
    }

   private:
    void Grow() {
      std::vector<Event> larger(ring_.empty() ? 256 : ring_.size() * 2);
      std::size_t count = 0;
      for (; first_ != end_; ++first_) larger[count++] = front();
      ring_ = std::move(larger);
      first_ = 0;
      end_ = count;
    }
    std::vector<Event> ring_;
    std::size_t first_ = 0;
    std::size_t end_ = 0;
  };

  void PopHeap() {
    const Event last = heap_.back();
    heap_.pop_back();
    const std::size_t size = heap_.size();
    if (size == 0) return;
    std::size_t at = 0;
    for (;;) {
      const std::size_t child = at * 4 + 1;
      if (child >= size) break;
      std::size_t least = child;
      for (std::size_t other = child + 1; other < child + 4 && other < size; ++other) {
        if (heap_[other].Before(heap_[least])) least = other;
      }
      if (!heap_[least].Before(last)) break;
      heap_[at] = heap_[least];
      at = least;
    }
    heap_[at] = last;
  }

  std::vector<Event> heap_;
  std::array<Fifo, kLanes> lanes_;
  std::uint32_t next_order_ = 0;
};

}  // namespace weir::lab
