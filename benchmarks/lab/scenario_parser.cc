// The text form of scenarios: sections of "key = value" lines.
#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>
#include <sstream>

#include "lab/scenario.h"

namespace weir::lab {
namespace {

// Takes a value; what is expected, if it cannot.
using Take = std::function<std::optional<std::string>(std::string_view)>;

struct Key {
  std::string_view name;
  Take take;
};

Take Time(Nanos& into, Nanos least = 0) {
  return [&into, least](std::string_view text) -> std::optional<std::string> {
    const Result<Nanos> time = ParseTime(text);
    if (!time.ok() || *time < least) {
      return std::string("expected a time such as 100us, 5ms, 1.5s or 2m") +
             (least > 0 ? ", above 0" : "");
    }
    into = *time;
    return std::nullopt;
  };
}

Take Number(double& into, double least, double most) {
  return [&into, least, most](std::string_view text) -> std::optional<std::string> {
    const Result<double> number = ParseNumber(text);
    if (!number.ok() || *number < least || *number > most) {
      std::ostringstream expected;
      expected << "expected a number from " << least << " to " << most;
      return expected.str();
    }
    into = *number;
    return std::nullopt;
  };
}

template <class T>
Take Integer(T& into, T least, T most) {
  return [&into, least, most](std::string_view text) -> std::optional<std::string> {
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < least ||
        value > most) {
      return "expected an integer from " + std::to_string(least) + " to " + std::to_string(most);
    }
    into = value;
    return std::nullopt;
  };
}

Take Text(std::string& into) {
  return [&into](std::string_view text) -> std::optional<std::string> {
    if (text.empty()) return "expected some text";
    into = text;
    return std::nullopt;
  };
}

Take Switch(bool& into) {
  return [&into](std::string_view text) -> std::optional<std::string> {
    if (text != "on" && text != "off") return "expected on or off";
    into = text == "on";
    return std::nullopt;
  };
}

Take Service(Distribution& into) {
  return [&into](std::string_view text) -> std::optional<std::string> {
    Result<Distribution> parsed = Distribution::Parse(text);
    if (!parsed.ok()) return std::string(parsed.status().message());
    into = *std::move(parsed);
    return std::nullopt;
  };
}

// "10s:0.1 20s:1"
Take Speeds(std::vector<SpeedChange>& into) {
  return [&into](std::string_view text) -> std::optional<std::string> {
    std::istringstream words{std::string(text)};
    std::string word;
    std::vector<SpeedChange> changes;
    while (words >> word) {
      const std::size_t colon = word.find(':');
      const std::string_view whole = word;
      const Result<Nanos> at = ParseTime(whole.substr(0, colon));
      const Result<double> speed =
          ParseNumber(colon == std::string::npos ? std::string_view() : whole.substr(colon + 1));
      if (!at.ok() || !speed.ok() || *speed <= 0 || *speed > 1000 ||
          (!changes.empty() && *at < changes.back().at)) {
        return "expected times and speeds in order, such as 10s:0.1 20s:1";
      }
      changes.push_back({*at, *speed});
    }
    into = std::move(changes);
    return std::nullopt;
  };
}

std::vector<Key> ScenarioKeys(Scenario& s) {
  return {{"name", Text(s.name)},
          {"title", Text(s.title)},
          {"duration", Time(s.duration, 1)},
          {"warm_up", Time(s.warm_up)},
          {"deadline", Time(s.deadline, 1)},
          {"network", Time(s.network)},
          {"discovery", Time(s.discovery)},
          {"service", Service(s.service)},
          {"seed", Integer<std::uint64_t>(s.seed, 0, 1'000'000'000'000)}};
}

std::vector<Key> ClientKeys(Scenario& s) {
  return {{"count", Integer<std::uint32_t>(s.clients, 1, 100'000)},
          {"load", Number(s.load, 1e-6, 100)},
          {"rate", Number(s.rate, 1e-3, 1e8)},
          {"attempts", Integer<std::uint32_t>(s.attempts, 1, 4)},
          {"keys", Integer<std::uint32_t>(s.keys, 1, 10'000'000)},
          {"key_exponent", Number(s.key_exponent, 0, 5)}};
}

std::vector<Key> ServerKeys(ServerGroup& g) {
  return {{"count", Integer<std::uint32_t>(g.count, 1, 100'000)},
          {"slots", Integer<std::uint32_t>(g.slots, 1, 10'000)},
          {"speed", Number(g.speed, 1e-6, 1000)},
          {"speeds", Speeds(g.speeds)},
          {"weight", Integer<std::int32_t>(g.weight, 1, 10'000)},
          {"zone", Text(g.zone)},
          {"pause_every", Time(g.pause_every, 1)},
          {"pause_for", Time(g.pause_for, 1)},
          {"slow_every", Time(g.slow_every, 1)},
          {"slow_for", Time(g.slow_for, 1)},
          {"slow_speed", Number(g.slow_speed, 1e-6, 1)},
          {"fail", Number(g.fail, 0, 1)},
          {"fail_time", Time(g.fail_time, 1)},
          {"fail_from", Time(g.fail_from)},
          {"fail_until", Time(g.fail_until)},
          {"starts", Time(g.starts)},
          {"stops", Time(g.stops)},
          {"restart_first", Time(g.restart_first)},
          {"restart_every", Time(g.restart_every, 1)},
          {"restart_for", Time(g.restart_for, 1)},
          {"churn_every", Time(g.churn_every, 1)},
          {"churn_for", Time(g.churn_for, 1)},
          {"graceful", Switch(g.graceful)},
          {"cold_for", Time(g.cold_for, 1)},
          {"cold_speed", Number(g.cold_speed, 1e-6, 1)}};
}

std::vector<Key> PhaseKeys(Phase& p) {
  return {
      {"from", Time(p.from)}, {"for", Time(p.length, 1)}, {"factor", Number(p.factor, 0, 1000)}};
}

std::string_view Trim(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Result<Scenario> Run() {
    while (!text_.empty()) {
      ++line_;
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      std::string_view line = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      line = Trim(line.substr(0, line.find('#')));
      if (line.empty()) continue;
      Status status = line.front() == '[' ? Open(line) : Set(line);
      if (!status.ok()) return status;
    }
    if (Status status = Finish(); !status.ok()) return status;
    return std::move(scenario_);
  }

 private:
  Status Refuse(const std::string& why) const {
    return InvalidArgument(std::string(source_) + ":" + std::to_string(line_) + ": " + why);
  }

  Status Open(std::string_view line) {
    if (line.back() != ']') return Refuse("'" + std::string(line) + "' has no closing ]");
    section_ = Trim(line.substr(1, line.size() - 2));
    seen_.clear();
    if (section_ == "scenario") {
      keys_ = ScenarioKeys(scenario_);
    } else if (section_ == "clients") {
      keys_ = ClientKeys(scenario_);
    } else if (section_ == "phase") {
      keys_ = PhaseKeys(scenario_.phases.emplace_back());
    } else if (section_ == "servers" || section_.rfind("servers ", 0) == 0) {
      ServerGroup& group = scenario_.servers.emplace_back();
      group.name = section_.size() > 8 ? Trim(std::string_view(section_).substr(8))
                                       : "group " + std::to_string(scenario_.servers.size());
      keys_ = ServerKeys(group);
    } else {
      return Refuse("unknown section [" + section_ +
                    "]; allowed: [scenario], [clients], [servers NAME], [phase]");
    }
    return {};
  }

  Status Set(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      return Refuse("'" + std::string(line) + "' is neither [section] nor key = value");
    }
    if (keys_.empty()) return Refuse("a section such as [scenario] must come first");
    const std::string_view name = Trim(line.substr(0, equals));
    const std::string_view value = Trim(line.substr(equals + 1));
    std::string allowed;
    for (const Key& key : keys_) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(key.name);
      if (key.name != name) continue;
      if (std::find(seen_.begin(), seen_.end(), key.name) != seen_.end()) {
        return Refuse(std::string(name) + " stands twice in [" + section_ + "]");
      }
      seen_.push_back(key.name);
      if (const auto expected = key.take(value)) {
        return Refuse(std::string(name) + " = " + std::string(value) + ": " + *expected);
      }
      return {};
    }
    return Refuse("unknown key '" + std::string(name) + "' in [" + section_ +
                  "]; allowed: " + allowed);
  }

  // What only the whole can show.
  Status Finish() {
    if (scenario_.servers.empty()) return Refuse("there is no [servers NAME] section");
    if (scenario_.name.empty()) return Refuse("[scenario] has no name");
    if (scenario_.server_count() > 100'000) return Refuse("more than 100000 servers in all");
    for (const ServerGroup& group : scenario_.servers) {
      const auto pair = [&](Nanos a, Nanos b, const char* names) {
        return (a > 0) == (b > 0)
                   ? Status()
                   : Refuse("[servers " + group.name + "] needs both or neither of " + names);
      };
      for (Status status :
           {pair(group.pause_every, group.pause_for, "pause_every and pause_for"),
            pair(group.slow_every, group.slow_for, "slow_every and slow_for"),
            pair(group.restart_every, group.restart_for, "restart_every and restart_for"),
            pair(group.churn_every, group.churn_for, "churn_every and churn_for")}) {
        if (!status.ok()) return status;
      }
      if (group.stops > 0 && group.stops <= group.starts) {
        return Refuse("[servers " + group.name + "] stops before it starts");
      }
    }
    if (scenario_.Rate() <= 0) return Refuse("the fleet answers nothing; set rate in [clients]");
    if (scenario_.title.empty()) scenario_.title = scenario_.name;
    return {};
  }

  std::string_view text_;
  const std::string_view source_;
  int line_ = 0;
  std::string section_;
  std::vector<Key> keys_;  // of the section
  std::vector<std::string_view> seen_;
  Scenario scenario_;
};

}  // namespace

Result<Scenario> ParseScenario(std::string_view text, std::string_view source) {
  return Parser(text, source).Run();
}

}  // namespace weir::lab
