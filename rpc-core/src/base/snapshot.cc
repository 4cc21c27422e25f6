// Snapshot: the rows in which it shows what its endpoints count.
#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "weir/load_balance.h"

namespace weir {
namespace {

// Counts of a whole cache line, so that rows begin at one.
constexpr std::size_t kRowStep = 64 / sizeof(std::uint32_t);

}  // namespace

void Snapshot::FreeRows::operator()(std::uint32_t* rows) const noexcept {
  ::operator delete[](rows, std::align_val_t{64});
}

Snapshot::Snapshot(std::vector<Provider> providers,
                   std::vector<std::shared_ptr<Endpoint>> endpoints, std::uint32_t cells)
    : providers_(std::move(providers)),
      endpoints_(std::move(endpoints)),
      cells_(cells),
      row_length_((providers_.size() + kRowStep - 1) / kRowStep * kRowStep) {
  assert(providers_.size() == endpoints_.size());
  const std::size_t counts = cells_ * row_length_;
  rows_.reset(static_cast<std::uint32_t*>(
      ::operator new[](counts * sizeof(std::uint32_t), std::align_val_t{64})));
  for (std::uint32_t cell = 0; cell < cells_; ++cell) {
    std::fill_n(row(cell), providers_.size(), 0U);
    std::fill_n(row(cell) + providers_.size(), row_length_ - providers_.size(), ~0U);
  }
}

Snapshot::~Snapshot() = default;
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;

void Snapshot::Attach(std::uint32_t cell, std::uint32_t show) const noexcept {
  for (Index i = 0; i < size(); ++i) {
    EndpointCell& own = endpoints_[i]->cells_[cell];
    own.shows_[show] = row(cell) + i;
    own.Set(own.active());
  }
}

void Snapshot::Detach(std::uint32_t cell, std::uint32_t show) const noexcept {
  for (Index i = 0; i < size(); ++i) {
    EndpointCell& own = endpoints_[i]->cells_[cell];
    if (own.shows_[show] == row(cell) + i) own.shows_[show] = nullptr;
  }
}

}  // namespace weir
