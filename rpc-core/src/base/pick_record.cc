// Picks that are recorded, and made again.
#include "weir/pick_record.h"

#include <utility>

namespace weir {
namespace {

// How often the counts may change while a pick looks at them, before it is made from the record.
constexpr int kAttempts = 4;

// What is known of the providers at one moment, or nearly.
struct Look {
  explicit Look(const Snapshot& snapshot) {
    states.reserve(snapshot.size());
    for (Index i = 0; i < snapshot.size(); ++i) {
      states.push_back(snapshot.endpoint(i).state());
      // Counted in the endpoint, and not yet shown in the snapshot.
      torn = torn || snapshot.active(i) != states.back().active;
    }
  }
  // Each end of a call changes a number that only grows, so what is equal did not change meanwhile.
  bool IsUndisturbed(const Look& later) const {
    return !torn && !later.torn && states == later.states;
  }
  std::vector<EndpointState> states;
  bool torn = false;
};

// A snapshot that nobody counts in, made from a record, with the strategy that belongs to it.
class Frozen {
 public:
  static Result<Frozen> Make(const PickRecord& record) {
    Result<ConfiguredLoadBalance> balance = LoadBalances().Configure(record.strategy);
    if (!balance.ok()) return std::move(balance).status();
    return Frozen(record, *std::move(balance));
  }
  Frozen(const PickRecord& record, ConfiguredLoadBalance balance)
      : balance_(std::move(balance)),
        snapshot_(SnapshotOf(record)),
        request_{record.method, record.key, record.key_hash, record.has_key},
        context_{record.sequence, record.random, record.now_ns, record.excluded} {
    snapshot_.Attach(0);
    balance_.BuildTables(snapshot_, nullptr);
  }

  Index Pick() const noexcept { return balance_.Pick(request_, snapshot_, context_); }
  std::string Explain() const { return balance_.Explain(request_, snapshot_, context_); }

 private:
  static Snapshot SnapshotOf(const PickRecord& record) {
    std::vector<Provider> providers;
    std::vector<std::shared_ptr<Endpoint>> endpoints;
    for (const PickRecord::Seen& seen : record.providers) {
      providers.push_back(seen.provider);
      endpoints.push_back(std::make_shared<Endpoint>(seen.endpoint));
    }
    return {std::move(providers), std::move(endpoints)};
  }

  ConfiguredLoadBalance balance_;
  Snapshot snapshot_;
  RequestView request_;  // into the record
  PickContext context_;  // into the record
};

}  // namespace

Result<Index> PickRecord::Replay() const {
  const Result<Frozen> frozen = Frozen::Make(*this);
  if (!frozen.ok()) return frozen.status();
  return frozen->Pick();
}

Result<std::string> PickRecord::Explain() const {
  const Result<Frozen> frozen = Frozen::Make(*this);
  if (!frozen.ok()) return frozen.status();
  return frozen->Explain();
}

PickRecord RecordPick(const ConfiguredLoadBalance& balance, const RequestView& request,
                      const Snapshot& snapshot, const PickContext& context) {
  PickRecord record;
  record.strategy = balance.text;
  record.method = request.method;
  record.key = request.key;
  record.key_hash = request.key_hash;
  record.has_key = request.has_key;
  record.sequence = context.sequence;
  record.random = context.random;
  record.now_ns = context.now_ns;
  record.excluded.assign(context.excluded.begin(), context.excluded.end());
  Look before(snapshot);
  bool undisturbed = false;
  for (int attempt = 0; attempt < kAttempts && !undisturbed; ++attempt) {
    record.picked = balance.Pick(request, snapshot, context);
    Look after(snapshot);
    undisturbed = before.IsUndisturbed(after);
    before = std::move(after);
  }
  for (Index i = 0; i < snapshot.size(); ++i) {
    record.providers.push_back({snapshot.provider(i), before.states[i]});
  }
  if (!undisturbed) record.picked = Frozen(record, balance).Pick();
  return record;
}

}  // namespace weir
