// weir explain: picks that channels have logged, made again and explained.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "commands.h"
#include "text.h"
#include "weir/pick_record.h"

namespace weir::tool {
namespace {

struct Explained {
  std::size_t line;
  PickRecord record;
  Index replayed;
  std::string why;

  bool same() const noexcept { return replayed == record.picked; }
};

std::string AddressOf(const PickRecord& record, Index i) {
  return i < record.providers.size() ? record.providers[i].provider.address : std::string();
}

// What stands before a record on its line, such as the time, is passed over, and so are lines
// without one.
Status Read(std::istream& input, const std::string& name, std::vector<Explained>& all) {
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    const auto brace = line.find('{');
    if (brace == std::string::npos) continue;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const auto fail = [&](const Status& status) {
      return Status(StatusCode::kDataLoss, name + ", line " + std::to_string(number) + ": " +
                                               std::string(status.message()));
    };
    Result<PickRecord> record = PickRecord::Parse(std::string_view(line).substr(brace));
    if (!record.ok()) return fail(record.status());
    const Result<Index> replayed = record->Replay();
    if (!replayed.ok()) return fail(replayed.status());
    Result<std::string> why = record->Explain();
    if (!why.ok()) return fail(why.status());
    all.push_back({number, *std::move(record), *replayed, *std::move(why)});
  }
  return {};
}

std::string JsonOf(const std::vector<Explained>& all) {
  Json rows = Json::array();
  const auto address = [](const Explained& one, Index i) {
    const std::string text = AddressOf(one.record, i);
    return text.empty() ? Json() : Json(text);
  };
  for (const Explained& one : all) {
    rows.push_back({{"line", one.line},
                    {"method", one.record.method},
                    {"strategy", one.record.strategy},
                    {"providers", one.record.providers.size()},
                    {"picked", address(one, one.record.picked)},
                    {"replayed", address(one, one.replayed)},
                    {"same", one.same()},
                    {"why", one.why}});
  }
  return JsonText(rows);
}

}  // namespace

int Explain(const Request& request) {
  std::vector<Explained> all;
  std::vector<std::string> files = request.words;
  if (files.empty()) files.emplace_back("-");
  for (const std::string& file : files) {
    std::ifstream stream;
    if (file != "-") {
      stream.open(file);
      if (!stream) return Fail(NotFound("cannot read " + file + "; name a file of logged picks"));
    }
    const bool standard = file == "-";
    const Status status =
        Read(standard ? std::cin : stream, standard ? "standard input" : file, all);
    if (!status.ok()) return Fail(status);
  }
  std::size_t different = 0;
  for (const Explained& one : all) {
    different += one.same() ? 0 : 1;
    if (request.json) continue;
    std::string text = Printable(one.record.method) + "  " + Printable(one.why);
    if (!one.same()) {
      const std::string picked = AddressOf(one.record, one.record.picked);
      text += "; DIFFERENT: the record says " + (picked.empty() ? "no provider" : picked);
    }
    std::printf("%s\n", text.c_str());
  }
  if (request.json) std::fputs(JsonOf(all).c_str(), stdout);
  if (different == 0) return kOk;
  return Fail(DataLoss(std::to_string(different) + " of " + std::to_string(all.size()) +
                       " picks are not what is recorded; use the weir that made them"));
}

}  // namespace weir::tool
