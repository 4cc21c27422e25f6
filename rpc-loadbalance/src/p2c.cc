// p2c: of two providers drawn at random the one with fewer calls in flight over weight,
// (active + 1) / weight (two_choices.h).
#include "explain.h"
#include "strategies.h"
#include "two_choices.h"

namespace weir {
namespace {

std::shared_ptr<const void> Build(const Snapshot& snapshot, const Parameters&, const Snapshot*) {
  if (snapshot.size() == 0) return nullptr;
  return std::make_shared<const TwoChoices>(snapshot.providers());
}

Index Pick(const RequestView&, const Snapshot& snapshot, const PickContext& context) noexcept {
  if (snapshot.tables() == nullptr) return kNone;
  const auto& choices = *static_cast<const TwoChoices*>(snapshot.tables());
  const TwoChoices::Pair pair = choices.Draw(context);
  if (pair.first == pair.second) return pair.first;
  const std::uint64_t calls = std::uint64_t{snapshot.active(pair.first)} + 1;
  const std::uint64_t others_calls = std::uint64_t{snapshot.active(pair.second)} + 1;
  if (choices.equal_weights()) return pair.Choose(others_calls < calls);
  return pair.Choose(others_calls * choices.weight(pair.first) <
                     calls * choices.weight(pair.second));
}

std::string Explain(const RequestView&, const Snapshot& snapshot, const PickContext& context,
                    Index picked) {
  if (picked == kNone) return kAllExcluded;
  const auto& choices = *static_cast<const TwoChoices*>(snapshot.tables());
  const auto [first, second] = choices.Draw(context);
  if (first == second) return "nobody else is left";
  const auto load = [&](Index i) {
    return std::to_string(snapshot.active(i)) + " in flight at weight " +
           std::to_string(choices.weight(i));
  };
  const Index other = picked == first ? second : first;
  return load(picked) + ", against " + load(other) + " of " + snapshot.provider(other).address;
}

}  // namespace

LoadBalance TwoChoicesStrategy() noexcept {
  return {.pick = Pick, .build = Build, .explain = Explain};
}

}  // namespace weir
