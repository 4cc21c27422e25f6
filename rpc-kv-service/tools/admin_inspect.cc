// dump, stat, rebuild-hints.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "admin.h"
#include "text.h"
#include "weir/kv/inspect.h"

namespace weir::kv::tool {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kReplace = Json::error_handler_t::replace;

// "000012 4711 17 put key value [expires 99]"; without --records only key and value.
std::string TextLine(const StoredRecord& record, bool all, bool keys_only) {
  std::string line;
  if (all) {
    line = std::to_string(record.fid) + "\t" + std::to_string(record.offset) + "\t" +
           std::to_string(record.seq) + "\t" + (record.deletes ? "delete" : "put") +
           (record.in_batch ? "+" : "") + "\t";
  }
  line += Escape(record.key);
  if (!keys_only && !record.deletes) line += "\t" + Escape(record.value);
  if (all && record.expiry_ms != 0) line += "\texpires " + std::to_string(record.expiry_ms);
  return line + "\n";
}

std::string JsonLine(const StoredRecord& record, bool all, bool keys_only) {
  Json json;
  json["key"] = Escape(record.key);
  if (!keys_only && !record.deletes) json["value"] = Escape(record.value);
  json["seq"] = record.seq;
  if (record.expiry_ms != 0) json["expires_ms"] = record.expiry_ms;
  if (all) {
    json["segment"] = record.fid;
    json["offset"] = record.offset;
    json["bytes"] = record.bytes;
    json["deletes"] = record.deletes;
    json["in_batch"] = record.in_batch;
  }
  return json.dump(-1, ' ', false, kReplace) + "\n";
}

void AddDump(CLI::App& app, const AdminSessionPtr& session) {
  struct Args {
    std::string store, prefix;
    std::uint64_t segment = 0;
    bool records = false;
    bool keys_only = false;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand(
      "dump", "Print keys and values, a tab between them, \\\\ \\t \\n \\x01 escaped");
  command->add_option("STORE", args->store)->required();
  command->add_option("--prefix", args->prefix, "Only keys that begin so")->type_name("TEXT");
  command->add_option("--segment", args->segment, "Only what lies in this segment")
      ->check(CLI::PositiveNumber)
      ->type_name("ID");
  command->add_flag("--records", args->records,
                    "Every record, replaced ones and deletes too, as they lie: segment, offset,\n"
                    "commit, put or delete (+: of a batch), key, value");
  command->add_flag("--keys-only", args->keys_only, "Leave out the values");
  command->callback([=] {
    RecordQuery query;
    query.newest_only = !args->records;
    query.prefix = args->prefix;
    if (args->segment != 0) query.fid = args->segment;
    const auto damaged = ReadRecords(args->store, query, [&](const StoredRecord& record) {
      PrintOut(session->json ? JsonLine(record, args->records, args->keys_only)
                             : TextLine(record, args->records, args->keys_only));
    });
    if (!damaged.ok()) return session->Fail(damaged.status());
    session->TellDamage(*damaged);
  });
}

const char* ToText(HintState hint) {
  switch (hint) {
    case HintState::kNone:
      return "none";
    case HintState::kGood:
      return "good";
    case HintState::kBad:
      return "bad";
  }
  return "";
}

const char* KindOf(const InspectedSegment& segment) {
  if (segment.merged) return "merged";
  return segment.sealed ? "log" : "active";
}

std::string StatText(const Inspection& store) {
  std::uint64_t bytes = 0;
  std::uint64_t live = 0;
  for (const auto& segment : store.segments) {
    bytes += segment.bytes;
    live += segment.live_bytes;
  }
  std::string text = "store id      " + store.store_id + "\n";
  text += "keys          " + std::to_string(store.keys) + "\n";
  text += "commits       up to " + std::to_string(store.last_seq) + ", as a feed from " +
          std::to_string(store.first_change) + " on\n";
  text += "segments      " + std::to_string(store.segments.size()) + ", " + Size(bytes) +
          ", of which " + Size(live) + " live\n";
  text += "MANIFEST      " + Size(store.manifest_bytes) + ", next segment " +
          std::to_string(store.next_fid) + ", " + std::to_string(store.dropped_segments) +
          " dropped, time floor " + std::to_string(store.time_floor_ms) + " ms\n";
  char line[160];
  std::snprintf(line, sizeof line, "%8s  %-6s %12s %12s %5s %10s  %-4s  %s\n", "segment", "kind",
                "bytes", "live", "dead", "records", "hint", "commits");
  text += line;
  for (const auto& segment : store.segments) {
    const double dead = segment.bytes == 0
                            ? 0
                            : 100.0 * (1.0 - static_cast<double>(segment.live_bytes) /
                                                 static_cast<double>(segment.bytes));
    std::snprintf(line, sizeof line, "%8llu  %-6s %12llu %12llu %4.0f%% %10llu  %-4s  %llu-%llu\n",
                  static_cast<unsigned long long>(segment.fid), KindOf(segment),
                  static_cast<unsigned long long>(segment.bytes),
                  static_cast<unsigned long long>(segment.live_bytes), dead,
                  static_cast<unsigned long long>(segment.records), ToText(segment.hint),
                  static_cast<unsigned long long>(segment.min_seq),
                  static_cast<unsigned long long>(segment.max_seq));
    text += line;
  }
  return text;
}

std::string StatJson(const Inspection& store) {
  Json json;
  json["store_id"] = store.store_id;
  json["keys"] = store.keys;
  json["last_seq"] = store.last_seq;
  json["first_change"] = store.first_change;
  json["time_floor_ms"] = store.time_floor_ms;
  json["next_segment"] = store.next_fid;
  json["dropped_segments"] = store.dropped_segments;
  json["manifest_bytes"] = store.manifest_bytes;
  json["segments"] = Json::array();
  for (const auto& segment : store.segments) {
    json["segments"].push_back({{"id", segment.fid},
                                {"kind", KindOf(segment)},
                                {"bytes", segment.bytes},
                                {"live_bytes", segment.live_bytes},
                                {"records", segment.records},
                                {"first_seq", segment.min_seq},
                                {"last_seq", segment.max_seq},
                                {"hint", ToText(segment.hint)}});
  }
  return JsonText(json);
}

void AddStat(CLI::App& app, const AdminSessionPtr& session) {
  auto store = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("stat", "Print what MANIFEST says and what is in use of each segment");
  command->add_option("STORE", *store)->required();
  command->callback([=] {
    const auto inspected = InspectDirectory(*store);
    if (!inspected.ok()) return session->Fail(inspected.status());
    PrintOut(session->json ? StatJson(*inspected) : StatText(*inspected));
    session->TellDamage(inspected->damaged);
  });
}

void AddRebuildHints(CLI::App& app, const AdminSessionPtr& session) {
  auto store = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "rebuild-hints", "Write the hint of every closed segment anew, for a fast start");
  command->add_option("STORE", *store)->required();
  command->callback([=] {
    const auto count = RebuildHints(*store, nullptr, session->Progress("read"));
    if (!count.ok()) return session->Fail(count.status());
    session->EndProgress();
    PrintOut(session->json ? JsonText({{"hints", *count}})
                           : std::to_string(*count) + " hints written\n");
  });
}

}  // namespace

void AddInspectCommands(CLI::App& app, const AdminSessionPtr& session) {
  AddDump(app, session);
  AddStat(app, session);
  AddRebuildHints(app, session);
}

}  // namespace weir::kv::tool
