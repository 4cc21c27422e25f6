#include "merge_move.h"

#include "segment_scanner.h"

namespace weir::kv {
namespace {

constexpr std::size_t kMovesPerLock = 256;

}  // namespace

Status MoveIndexTo(const MergeOutput::Written& written, Vfs& vfs, SegmentTable& segments,
                   Snapshots& snapshots) {
  const SegmentFacts& facts = written.facts;
  const std::uint32_t slot = segments.AddSealed(facts)->slot();
  const std::string path = segments.PathOf(facts.fid);
  auto file = vfs.Open(path, OpenMode::kRead);
  if (!file.ok()) return file.status();
  // The keys are read again from what was just written, rather than kept in memory.
  SegmentScanner scanner(**file, facts.fid, facts.length);
  std::string keys;
  std::vector<std::size_t> ends;
  std::vector<Move> moves;
  const auto flush = [&] {
    std::size_t start = 0;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      moves[i].key = std::string_view(keys).substr(start, ends[i] - start);
      start = ends[i];
    }
    snapshots.Relocate(moves);
    keys.clear();
    ends.clear();
    moves.clear();
  };
  std::size_t puts = 0;
  while (true) {
    const auto step = scanner.Next();
    if (!step.ok()) return step.status();
    if (*step == SegmentScanner::Step::kEnd) break;
    if (*step == SegmentScanner::Step::kBad) {
      return DataLoss(path + ": at offset " + std::to_string(scanner.offset()) +
                      ": the record is damaged that was just written; see to the device");
    }
    const RecordHead& head = scanner.head();
    if (head.type() != RecordType::kNormal) continue;
    Move move;
    move.from = MergeOutput::UnpackPlace(written.moved_from[puts++]);
    move.from.size = static_cast<std::uint32_t>(head.size());
    move.from.expires = head.has_expiry();
    move.to = move.from;
    move.to->slot = slot;
    move.to->offset = scanner.offset();
    keys.append(scanner.key());
    ends.push_back(keys.size());
    moves.push_back(move);
    if (moves.size() == kMovesPerLock) flush();
  }
  flush();
  return {};
}

void ForgetExpired(std::span<const ExpiredKey> keys, Snapshots& snapshots) {
  std::vector<Move> moves;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    moves.push_back({.key = keys[i].key, .from = keys[i].from, .to = std::nullopt});
    if (moves.size() == kMovesPerLock || i + 1 == keys.size()) {
      snapshots.Relocate(moves);
      moves.clear();
    }
  }
}

}  // namespace weir::kv
