// backup make | list | verify | purge, restore.
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "admin.h"
#include "program.h"
#include "text.h"
#include "weir/kv/backup.h"

namespace weir::kv::tool {
namespace {

using Json = nlohmann::ordered_json;

// "2026-11-22T14:05:33Z"
std::string TimeText(std::uint64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Json ToJson(const BackupGeneration& generation) {
  if (!generation.error.empty()) {
    return {{"generation", generation.number}, {"error", generation.error}};
  }
  return {{"generation", generation.number}, {"time", TimeText(generation.time_ms)},
          {"last_seq", generation.last_seq}, {"store_id", generation.store_id},
          {"segments", generation.segments}, {"bytes", generation.bytes}};
}

BackupOptions OptionsOf(const AdminSession& session, const char* verb) {
  BackupOptions options;
  options.progress = session.Progress(verb);
  return options;
}

void AddMake(CLI::App& group, const AdminSessionPtr& session) {
  struct Args {
    std::string store, backups;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = group.add_subcommand("make", "Add a generation");
  command->add_option("STORE", args->store)->required();
  command->add_option("BACKUPS", args->backups, "The directory of its backups")->required();
  command->callback([=] {
    const auto report = BackupDirectory(args->store, args->backups, OptionsOf(*session, "copied"));
    if (!report.ok()) return session->Fail(report.status());
    session->EndProgress();
    const BackupGeneration& generation = report->generation;
    if (session->json) {
      Json json = ToJson(generation);
      json["copied_segments"] = report->copied_segments;
      json["copied_bytes"] = report->copied_bytes;
      return PrintOut(JsonText(json));
    }
    PrintOut("generation " + std::to_string(generation.number) + ": commits up to " +
             std::to_string(generation.last_seq) + ", " + std::to_string(generation.segments) +
             " segments, " + Size(generation.bytes) + ", of which " +
             std::to_string(report->copied_segments) + " (" + Size(report->copied_bytes) +
             ") are new\n");
  });
}

void AddList(CLI::App& group, const AdminSessionPtr& session) {
  auto backups = std::make_shared<std::string>();
  CLI::App* command = group.add_subcommand("list", "Print the generations");
  command->add_option("BACKUPS", *backups)->required();
  command->callback([=] {
    const auto list = ListBackups(*backups);
    if (!list.ok()) return session->Fail(list.status());
    Json json = Json::array();
    for (const BackupGeneration& generation : *list) {
      if (!generation.error.empty()) {
        Complain(session->app, generation.error);
        session->exit_code = kAdminFailed;
      }
      if (session->json) {
        json.push_back(ToJson(generation));
      } else if (generation.error.empty()) {
        char line[160];
        std::snprintf(line, sizeof line, "%6llu  %s  commit %llu  %llu segments  %s  store %s\n",
                      static_cast<unsigned long long>(generation.number),
                      TimeText(generation.time_ms).c_str(),
                      static_cast<unsigned long long>(generation.last_seq),
                      static_cast<unsigned long long>(generation.segments),
                      Size(generation.bytes).c_str(), generation.store_id.c_str());
        PrintOut(line);
      }
    }
    if (session->json) PrintOut(JsonText(json));
  });
}

void AddVerify(CLI::App& group, const AdminSessionPtr& session) {
  struct Args {
    std::string backups;
    std::uint64_t generation = 0;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command =
      group.add_subcommand("verify", "Read and check all generations, or one; exit code 1: damage");
  command->add_option("BACKUPS", args->backups)->required();
  command->add_option("GENERATION", args->generation)->check(CLI::PositiveNumber);
  command->callback([=] {
    const auto result =
        VerifyBackup(args->backups, args->generation, OptionsOf(*session, "verified"));
    if (!result.ok()) return session->Fail(result.status());
    session->EndProgress();
    for (const std::string& problem : result->problems) Complain(session->app, problem);
    if (!result->problems.empty()) session->exit_code = kAdminFailed;
    if (session->json) {
      return PrintOut(JsonText({{"generations", result->generations},
                                {"segments", result->segments},
                                {"bytes", result->bytes},
                                {"problems", result->problems}}));
    }
    PrintOut(std::to_string(result->generations) + " generations, " +
             std::to_string(result->segments) + " segments, " + Size(result->bytes) + ": " +
             (result->problems.empty() ? std::string("all good")
                                       : std::to_string(result->problems.size()) + " problems") +
             "\n");
  });
}

void AddPurge(CLI::App& group, const AdminSessionPtr& session) {
  struct Args {
    std::string backups;
    std::uint64_t keep = 0;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command =
      group.add_subcommand("purge", "Remove old generations and what only they have used");
  command->add_option("BACKUPS", args->backups)->required();
  command->add_option("--keep", args->keep, "How many of the newest generations stay")
      ->required()
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->callback([=] {
    const auto report = PurgeBackups(args->backups, args->keep);
    if (!report.ok()) return session->Fail(report.status());
    if (session->json) {
      return PrintOut(JsonText({{"removed_generations", report->removed_generations},
                                {"removed_segments", report->removed_files},
                                {"removed_bytes", report->removed_bytes}}));
    }
    PrintOut(std::to_string(report->removed_generations) + " generations and " +
             std::to_string(report->removed_files) + " segments (" + Size(report->removed_bytes) +
             ") removed\n");
  });
}

void AddRestore(CLI::App& app, const AdminSessionPtr& session) {
  struct Args {
    std::string backups, generation, target;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand(
      "restore", "Make a directory the store as it was when that generation was made");
  command->add_option("BACKUPS", args->backups)->required();
  command->add_option("GENERATION", args->generation, "Its number, or latest")
      ->required()
      ->check(CLI::PositiveNumber | CLI::IsMember({"latest"}));
  command->add_option("TARGET", args->target, "A directory that does not exist")->required();
  command->callback([=] {
    const std::uint64_t number = args->generation == "latest" ? 0 : std::stoull(args->generation);
    const auto restored =
        Restore(args->backups, number, args->target, OptionsOf(*session, "restored"));
    if (!restored.ok()) return session->Fail(restored.status());
    session->EndProgress();
    if (session->json) return PrintOut(JsonText(ToJson(*restored)));
    PrintOut(args->target + " is store " + restored->store_id + " with commits up to " +
             std::to_string(restored->last_seq) + " (generation " +
             std::to_string(restored->number) + " of " + TimeText(restored->time_ms) +
             "); do not serve it beside the original\n");
  });
}

}  // namespace

void AddBackupCommands(CLI::App& app, const AdminSessionPtr& session) {
  CLI::App* group = app.add_subcommand("backup", "Backups: make, list, verify, purge");
  group->require_subcommand(1);
  AddMake(*group, session);
  AddList(*group, session);
  AddVerify(*group, session);
  AddPurge(*group, session);
  AddRestore(app, session);
}

}  // namespace weir::kv::tool
