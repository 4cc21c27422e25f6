// The oracle: it knows every queue, speed, pause and failure, and so shows what is possible.
#pragma once

#include <cstdint>
#include <vector>

#include "lab/random.h"
#include "lab/server_model.h"

namespace weir::lab {

// Picks, for each call, the server with the least expected time until the call is done, given all
// calls that were sent to the servers so far; not the single lengths of their work.
class Oracle {
 public:
  Oracle(double mean_work_ns, Nanos deadline, Random random)
      : mean_work_ns_(mean_work_ns), deadline_(deadline), random_(random) {}
  // kNoServer if none runs.
  std::uint32_t Pick(const std::vector<ServerModel>& servers, Nanos now);

 private:
  const double mean_work_ns_;
  const Nanos deadline_;
  Random random_;
};

// The ideal of those that send equal keys to the same server: it knows how often each key is used,
// and deals keys out so that servers are loaded evenly (longest processing time first, R. Graham
// 1969). At a change of the list it moves no more keys than it must.
class KeyedOracle {
 public:
  // `popularity`: of each key, falling. `capacity`: of each server.
  KeyedOracle(std::vector<double> popularity, std::vector<double> capacity);
  void UseList(const std::vector<std::uint32_t>& servers);
  // kNoServer if there is none.
  std::uint32_t Owner(std::uint32_t key) const noexcept { return owners_[key]; }

 private:
  std::vector<double> popularity_;
  std::vector<double> capacity_;
  std::vector<std::uint32_t> owners_;  // by key
  std::vector<double> loads_;          // by server
  std::vector<bool> listed_;
};

}  // namespace weir::lab
