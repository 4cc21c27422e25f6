// put, get, delete, scan, owner, stats.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "input.h"
#include "session.h"
#include "text.h"
#include "weir/kv/refusal.h"

namespace weir::kv::tool {
namespace {

void Print(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

const std::map<std::string, Durability> kDurabilities = {
    {"server", AS_SERVER}, {"synced", SYNCED}, {"written", WRITTEN}};

CLI::Option* AddDurability(CLI::App* command, Durability& durability) {
  return command
      ->add_option("--durability", durability,
                   "Acknowledge when: server (as its --sync says, the default), synced (on disk),\n"
                   "written (a crash of the provider loses nothing)")
      ->transform(CLI::CheckedTransformer(kDurabilities).description(""))
      ->type_name("MODE");
}

void AddPut(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  struct Args {
    std::string key, value;
    Durability durability = AS_SERVER;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("put", "Store a value under a key");
  command->add_option("KEY", args->key)->required();
  command->add_option("VALUE", args->value, "The value; - reads it from standard input")
      ->required();
  AddDurability(command, args->durability);
  command->callback([=] {
    if (args->value == "-") {
      auto value = ReadWhole("-");
      if (!value.ok()) return void(*exit_code = session->Fail(value.status()));
      args->value = *std::move(value);
    }
    *exit_code = session->With([&](Client& client) {
      const Status status = client.Put(args->key, args->value, args->durability);
      return status.ok() ? kExitOk : session->Fail(status);
    });
  });
}

void AddGet(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  auto key = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("get", "Write the value of a key to standard output, byte for byte");
  command->add_option("KEY", *key)->required();
  command->callback([=] {
    *exit_code = session->With([&](Client& client) -> int {
      const auto value = client.Get(*key);
      if (!value.ok() && value.status().code() == StatusCode::kNotFound) {
        Complain(session->app, "there is no key " + QuoteKey(*key));
        return kExitNo;
      }
      if (!value.ok()) return session->Fail(value.status());
      Print(*value);
      return kExitOk;
    });
  });
}

void AddDelete(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  struct Args {
    std::string key;
    Durability durability = AS_SERVER;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command =
      app.add_subcommand("delete", "Remove a key; that it is not there is no error");
  command->add_option("KEY", args->key)->required();
  AddDurability(command, args->durability);
  command->callback([=] {
    *exit_code = session->With([&](Client& client) {
      const Status status = client.Delete(args->key, args->durability);
      return status.ok() ? kExitOk : session->Fail(status);
    });
  });
}

int Scan(const Session& session, Client& client, ScanQuery query, std::uint64_t limit) {
  constexpr std::uint32_t kPage = 1000;
  for (std::uint64_t left = limit;;) {
    query.limit =
        limit == 0 ? kPage : static_cast<std::uint32_t>(std::min<std::uint64_t>(left, kPage));
    auto page = client.Scan(query);
    if (!page.ok()) return session.Fail(page.status());
    std::string lines;
    for (const KeyValue& entry : page->entries) {
      lines += Escape(entry.key);
      if (!query.keys_only) lines += "\t" + Escape(entry.value);
      lines += '\n';
    }
    Print(lines);
    left -= page->entries.size();
    if (!page->more || (limit != 0 && left == 0)) return kExitOk;
    query.start = std::move(page->next);
  }
}

void AddScan(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  struct Args {
    ScanQuery query;
    std::uint64_t limit = 0;
  };
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("scan",
                                         "Print keys in their order, one a line: KEY<TAB>VALUE, "
                                         "with backslash, tab, newline and other\n"
                                         "control characters as \\\\ \\t \\n \\x01");
  command->add_option("--prefix", args->query.prefix, "Only keys that begin with this");
  command->add_option("--from", args->query.start, "First key");
  command->add_option("--to", args->query.end, "Key to stop before");
  command->add_option("--limit", args->limit, "Most keys (default: all)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  command->add_flag("--keys-only", args->query.keys_only, "Leave out tab and value");
  command->callback([=] {
    *exit_code = session->With(
        [&](Client& client) { return Scan(*session, client, args->query, args->limit); });
  });
}

void AddOwner(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  auto keys = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand(
      "owner",
      "Print who owns each key, alive or not: ADDRESS<TAB>KEY; - reads keys from standard input,\n"
      "one a line");
  command->add_option("KEY", *keys)->required();
  command->callback([=] {
    if (*keys == std::vector<std::string>{"-"}) {
      keys->clear();
      for (std::string line; std::getline(std::cin, line);) keys->push_back(line);
    }
    *exit_code = session->With([&](Client& client) -> int {
      for (const std::string& key : *keys) {
        const auto owner = client.OwnerOf(key);
        if (!owner.ok()) return session->Fail(owner.status());
        Print(*owner + "\t" + key + "\n");
      }
      return kExitOk;
    });
  });
}

nlohmann::ordered_json StatsJson(const std::string& address, const Result<StatsReply>& stats) {
  nlohmann::ordered_json json = {{"address", address}, {"alive", stats.ok()}};
  if (!stats.ok()) {
    json["error"] = stats.status().message();
    return json;
  }
  json["store_id"] = stats->store_id();
  json["cluster"] = stats->cluster();
  json["epoch"] = stats->epoch();
  json["serving"] = stats->serving();
  json["refusal"] = stats->refusal();
  json["keys"] = stats->keys();
  json["live_bytes"] = stats->live_bytes();
  json["data_bytes"] = stats->data_bytes();
  json["segments"] = stats->segments();
  json["commits"] = stats->commits();
  json["groups"] = stats->groups();
  json["syncs"] = stats->syncs();
  json["last_seq"] = stats->last_seq();
  json["durable_seq"] = stats->durable_seq();
  json["fenced"] = stats->fenced();
  json["garbage_bytes"] = stats->garbage_bytes();
  json["index_bytes"] = stats->index_bytes();
  json["merges"] = stats->merges();
  json["merge_failures"] = stats->merge_failures();
  json["bad_records"] = stats->bad_records();
  json["sync"] = stats->sync();
  json["version"] = stats->version();
  return json;
}

void PrintStats(const std::string& address, const Result<StatsReply>& stats) {
  if (!stats.ok()) {
    std::printf("%-22s not alive: %s\n", address.c_str(),
                std::string(stats.status().message()).c_str());
    return;
  }
  std::printf("%-22s %9llu %11s %11s %6llu %-14s %s%s\n", address.c_str(),
              static_cast<unsigned long long>(stats->keys()), Size(stats->live_bytes()).c_str(),
              Size(stats->data_bytes()).c_str(), static_cast<unsigned long long>(stats->epoch()),
              stats->sync().c_str(), stats->store_id().c_str(), stats->fenced() ? " FENCED" : "");
  if (!stats->serving()) std::printf("%-22s %s\n", "", stats->refusal().c_str());
}

int ShowStats(const Session& session, Client& client, bool json) {
  std::vector<std::string> addresses;
  if (session.cluster.empty()) {
    auto owner = client.OwnerOf("");
    if (!owner.ok()) return session.Fail(owner.status());
    addresses.push_back(*std::move(owner));
  } else {
    const auto members = client.Members();
    if (!members.ok()) return session.Fail(members.status());
    for (const Member& member : (*members)->list().members) addresses.push_back(member.address);
  }
  if (!json) {
    std::printf("%-22s %9s %11s %11s %6s %-14s %s\n", "PROVIDER", "KEYS", "LIVE", "ON DISK",
                "EPOCH", "SYNC", "STORE");
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& address : addresses) {
    const auto stats = client.Stats(address);
    if (json) {
      all.push_back(StatsJson(address, stats));
    } else {
      PrintStats(address, stats);
    }
  }
  if (json) Print(JsonText(all));
  return kExitOk;
}

void AddStats(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("stats", "Show what every provider says of itself");
  command->add_flag("--json", *json, "As JSON, sizes in bytes");
  command->callback([=] {
    *exit_code = session->With([&](Client& client) { return ShowStats(*session, client, *json); });
  });
}

}  // namespace

void AddDataCommands(CLI::App& app, const std::shared_ptr<Session>& session, int* exit_code) {
  AddPut(app, session, exit_code);
  AddGet(app, session, exit_code);
  AddDelete(app, session, exit_code);
  AddScan(app, session, exit_code);
  AddOwner(app, session, exit_code);
  AddStats(app, session, exit_code);
}

}  // namespace weir::kv::tool
