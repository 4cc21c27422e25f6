#include "harness/results.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace weir::bench {

const double* Results::Find(std::string_view case_name, std::string_view contestant,
                            std::string_view metric, std::string_view pinning) const noexcept {
  for (const Row& row : rows_) {
    if (row.case_name == case_name && row.contestant == contestant && row.metric == metric &&
        row.pinning == pinning) {
      return &row.value;
    }
  }
  return nullptr;
}

std::string Results::ToJson() const {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Row& row : rows_) {
    nlohmann::ordered_json object = {{"case", row.case_name},
                                     {"contestant", row.contestant},
                                     {"metric", row.metric},
                                     {"value", row.value}};
    if (!row.pinning.empty()) object["pinning"] = row.pinning;
    if (!row.reason.empty()) object["reason"] = row.reason;
    array.push_back(std::move(object));
  }
  return array.dump(2) + "\n";
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Outcome Median(const std::vector<Outcome>& outcomes) {
  const auto median = [&](double Outcome::*field) {
    std::vector<double> values;
    for (const Outcome& outcome : outcomes) values.push_back(outcome.*field);
    return Median(std::move(values));
  };
  return {median(&Outcome::calls_per_s), median(&Outcome::p50_us), median(&Outcome::p99_us),
          median(&Outcome::server_cpu_us), median(&Outcome::client_cpu_us)};
}

void AddOutcome(Results& results, const std::string& case_name, const std::string& contestant,
                const std::string& pinning, const Outcome& outcome) {
  const std::pair<const char*, double> metrics[] = {{"calls_per_s", outcome.calls_per_s},
                                                    {"p50_us", outcome.p50_us},
                                                    {"p99_us", outcome.p99_us},
                                                    {"server_cpu_us", outcome.server_cpu_us},
                                                    {"client_cpu_us", outcome.client_cpu_us}};
  for (const auto& [metric, value] : metrics) {
    results.Add({case_name, contestant, metric, value, pinning, {}});
  }
}

namespace {

bool Complain(const std::string& path) {
  std::fprintf(stderr, "error: cannot write %s: %s; name a file in a folder that exists\n",
               path.c_str(), std::strerror(errno));
  return false;
}

}  // namespace

bool CanWrite(const std::string& path) {
  if (path.empty()) return true;
  std::ofstream file(path, std::ios::app);
  return file.is_open() || Complain(path);
}

bool WriteFile(const std::string& path, std::string_view text) {
  if (path.empty()) return true;
  std::ofstream file(path, std::ios::trunc);
  file << text;
  return static_cast<bool>(file.flush()) || Complain(path);
}

}  // namespace weir::bench
