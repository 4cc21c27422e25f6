// verify, repair.
#include <nlohmann/json.hpp>

#include "admin.h"
#include "program.h"
#include "text.h"
#include "weir/kv/repair.h"

namespace weir::kv::tool {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<DamagedPlace>& damaged) {
  Json json = Json::array();
  for (const DamagedPlace& place : damaged) {
    json.push_back({{"file", place.file},
                    {"offset", place.offset},
                    {"bytes", place.bytes},
                    {"what", place.what}});
  }
  return json;
}

void AddVerify(CLI::App& app, const AdminSessionPtr& session) {
  auto store = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "verify", "Read all of a store; exit code 1 if anything is damaged, with file and offset");
  command->add_option("STORE", *store)->required();
  command->callback([=] {
    VerifyOptions options;
    options.progress = session->Progress("verified");
    const auto result = VerifyDirectory(*store, options);
    if (!result.ok()) return session->Fail(result.status());
    session->EndProgress();
    session->TellDamage(result->damaged);
    if (session->json) {
      PrintOut(JsonText({{"store_id", result->store_id},
                         {"segments", result->segments},
                         {"records", result->records},
                         {"bytes", result->bytes},
                         {"hints", result->hints},
                         {"last_seq", result->last_seq},
                         {"damaged", ToJson(result->damaged)},
                         {"notes", result->notes}}));
      return;
    }
    for (const std::string& note : result->notes) PrintOut("note: " + note + "\n");
    PrintOut(std::to_string(result->records) + " records in " + std::to_string(result->segments) +
             " segments, " + Size(result->bytes) + ", " + std::to_string(result->hints) +
             " hints: " +
             (result->damaged.empty()
                  ? std::string("all good")
                  : std::to_string(result->damaged.size()) +
                        " damaged places; restore from a backup, or see weir-kv-admin repair") +
             "\n");
  });
}

void AddRepair(CLI::App& app, const AdminSessionPtr& session) {
  struct Args {
    std::string store, target;
    bool new_id = false;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand(
      "repair", "Save all that can be read of a store into a new one; the old one is not changed");
  command->add_option("STORE", args->store)->required();
  command->add_option("TARGET", args->target, "A directory that does not exist")->required();
  command->add_flag("--new-id", args->new_id, "Make it another store, with an id of its own");
  command->callback([=] {
    RepairOptions options;
    options.new_id = args->new_id;
    options.progress = session->Progress("read");
    const auto report = Repair(args->store, args->target, options);
    if (!report.ok()) return session->Fail(report.status());
    session->EndProgress();
    // Damage is what this command is for: it is told of, but no failure.
    for (const DamagedPlace& place : report->damaged) {
      Complain(session->app, "lost: " + ToString(place));
    }
    if (session->json) {
      PrintOut(JsonText({{"store_id", report->store_id},
                         {"segments", report->segments},
                         {"records", report->records},
                         {"keys", report->keys},
                         {"last_seq", report->last_seq},
                         {"lost_bytes", report->lost_bytes},
                         {"damaged", ToJson(report->damaged)},
                         {"notes", report->notes}}));
      return;
    }
    for (const std::string& note : report->notes) PrintOut("note: " + note + "\n");
    PrintOut(std::to_string(report->keys) + " keys saved from " + std::to_string(report->records) +
             " records; " + std::to_string(report->lost_bytes) + " bytes lost in " +
             std::to_string(report->damaged.size()) + " places; " + args->target + " is store " +
             report->store_id + "\n");
  });
}

}  // namespace

void AddRepairCommands(CLI::App& app, const AdminSessionPtr& session) {
  AddVerify(app, session);
  AddRepair(app, session);
}

}  // namespace weir::kv::tool
